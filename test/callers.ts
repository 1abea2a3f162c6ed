// Callers and their calls, for whoever tests what they may: nothing behind them, no store.
import type { Call } from '../src/base/call.ts';
import type { Caller, WorkloadEntry } from '../src/base/caller.ts';
import { systemClock } from '../src/base/time.ts';

type User = Extract<Caller, { kind: 'user' }>;

export const userCaller = (tenantId: string, userId = 'usr_test', over: Partial<User> = {}): User => ({
  kind: 'user',
  tenantId,
  userId,
  sessionId: 'ses_test',
  tokenId: 'tok_test',
  clientId: '',
  scopes: [],
  mfaVerified: false,
  authMethod: 'password',
  riskLevel: 'low',
  riskScore: 0,
  expiresAt: Date.now() + 300_000,
  ...over,
});

/** An entry that gives nothing but what `over` says. */
export const workloadEntry = (over: Partial<WorkloadEntry> = {}): WorkloadEntry => ({
  tenantId: 'acme',
  namespace: 'shop',
  name: 'orders',
  audiences: [],
  anyAudience: false,
  tenants: [],
  resourceTypes: [],
  calls: [],
  permissions: [],
  keyNames: [],
  dnsNames: [],
  certificateTtlSeconds: 3600,
  asserts: [],
  ...over,
});

/** The workload of that entry. */
export const workloadCaller = (entry: WorkloadEntry): Caller => {
  const { tenantId, namespace, name } = entry;
  return { kind: 'workload', tenantId, spiffeId: `spiffe://test/ns/${namespace}/sa/${name}`, namespace, name, entry };
};

/** A call by that caller over loopback, now, with a minute to go. */
export const callAs = (caller: Caller, over: Partial<Call> = {}): Call => {
  const now = over.now ?? systemClock.now();
  return {
    method: 'securityhub.v1.Test/Test',
    caller,
    peer: { transport: 'local', address: '127.0.0.1', loopback: true, certificate: null },
    requestId: 'req_test',
    traceparent: '',
    userAgent: 'test',
    dpop: '',
    target: 'https://hub.test/securityhub.v1.Test/Test',
    now,
    deadline: now + 60_000,
    signal: new AbortController().signal,
    ...over,
  };
};
