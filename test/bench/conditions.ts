// BatchCheck of 1,000 where each check weighs a condition on the resource's attributes and the call's.
import { PutResourceTypeRequest } from '../../src/gen/securityhub/v1/authorization.ts';
import { ApplyPoliciesRequest } from '../../src/gen/securityhub/v1/policy.ts';
import { BatchCheckRequest, BatchCheckResponse } from '../../src/gen/securityhub/v1/security_hub.ts';
import { openCaller } from './driver.ts';
import { measure, type Result } from './measure.ts';
import { BATCH, login, type Setting } from './rows.ts';

const bytes = (message: { finish(): Uint8Array }): Buffer => Buffer.from(message.finish());
const AUTHORIZATION = '/securityhub.v1.AuthorizationService';
const CHECKS = 1000;

const POLICY = `apiVersion: securityhub/v1
kind: ResourcePolicy
metadata: { name: bench-transfers }
spec:
  resource: bench_transfers
  rules:
    - name: other-regions
      effect: deny
      actions: [read]
      condition: resource.region != context.region && resource.amount > 1000
`;

/** One in four is denied: both ways out of the condition are walked. */
const request = BatchCheckRequest.fromPartial({
  context: { region: 'eu' },
  checks: Array.from({ length: CHECKS }, (_, id) => ({
    id: String(id),
    action: 'read',
    resource: {
      type: 'bench_transfers',
      id: `t${id}`,
      attributes: { region: id % 2 === 0 ? 'eu' : 'us', amount: id % 4 === 1 ? 5000 : 500 },
    },
  })),
});

/** Answered where `conditionRow` was measured before. */
export const conditionBatch = bytes(BatchCheckRequest.encode(request));

export const conditionRow = async (setting: Setting, hub: { readonly pid: number; readonly grpc: string }): Promise<Result> => {
  const caller = await openCaller(hub.grpc);
  const { accessToken } = await login(caller, { ...setting, grpc: hub.grpc });
  const resourceType = { name: 'bench_transfers', actions: ['read'], attributes: { region: 'string', amount: 'int' } };
  await caller.call(
    `${AUTHORIZATION}/PutResourceType`,
    bytes(PutResourceTypeRequest.encode(PutResourceTypeRequest.fromPartial({ resourceType }))),
    accessToken,
  );
  const sources = [{ name: 'bench', content: POLICY }];
  await caller.call(
    `${AUTHORIZATION}/ApplyPolicies`,
    bytes(ApplyPoliciesRequest.encode(ApplyPoliciesRequest.fromPartial({ sources, acknowledgeRisk: true }))),
    accessToken,
  );
  const { results } = BatchCheckResponse.decode(await caller.call(BATCH, conditionBatch, accessToken));
  const denied = results.filter(({ reasonCode }) => reasonCode === 'DENIED_EXPLICIT').length;
  if (denied !== CHECKS / 4) throw new Error(`${denied} of ${CHECKS} checks were denied: ${results[0]?.reasonCode}`);
  caller.close();
  return measure(
    {
      name: 'BatchCheck of 1,000, a condition each (decisions)',
      path: BATCH,
      requests: [conditionBatch],
      headers: { authorization: `Bearer ${accessToken}` },
      rate: 300_000,
      per: CHECKS,
      connections: 2,
      streams: 4,
    },
    hub,
  );
};
