// The purpose that tenant keys are sealed for under the master key.

export const TENANT_KEY = 'tenant-key';
