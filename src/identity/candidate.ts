// Who wants to log in, and whether the password is his: the same steps at the same price for accounts that do not exist.
import { hmacSha256 } from '../base/bytes.ts';
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { Database } from '../storage/storage.ts';
import { nameKey } from './names.ts';
import type { Passwords } from './password.ts';
import type { AttemptLimits, Attempts, LoginAccount, UserStore } from './stores.ts';

export interface CandidatePorts {
  readonly db: Database;
  readonly limits: AttemptLimits;
  /** Hides the names of accounts that do not exist in the table of attempts. */
  readonly accountSecret: Uint8Array;
  readonly passwords: Pick<Passwords, 'verify'>;
  readonly users: Pick<UserStore, 'byName'>;
  readonly attempts: Pick<Attempts, 'reserve' | 'refund'>;
  readonly soleTenant: () => MaybePromise<TenantId | null>;
  readonly tenant: (tenantId: TenantId) => MaybePromise<{ readonly status: string } | null>;
}

/** What is known before the password is looked at. */
export interface Candidate {
  readonly tenantId: TenantId;
  /** null where there is no such tenant. */
  readonly tenantStatus: string | null;
  readonly account: LoginAccount | null;
  /** Under which the attempts are counted: the user's id, or a keyed hash of a name nobody has. */
  readonly counter: string;
  readonly counted: 'open' | 'last' | 'locked';
  readonly source: string;
}

/** Finds the account and counts this attempt, in one transaction that is the same for accounts that do not exist. */
export const lookUp = async (
  ports: CandidatePorts,
  request: { readonly tenantId: TenantId; readonly username: string },
  source: string,
): Promise<Candidate> => {
  const tenantId = request.tenantId !== '' ? request.tenantId : ((await ports.soleTenant()) ?? '');
  const tenant = await ports.tenant(tenantId);
  const key = nameKey(request.username);
  return ports.db.tenant(tenantId, async (tx) => {
    const account = await ports.users.byName(tx, tenantId, key);
    const counter = account?.userId ?? hmacSha256(ports.accountSecret, lengthPrefixed([tenantId, key])).toString('base64url');
    const counted = await ports.attempts.reserve(tx, tenantId, counter, source, ports.limits);
    return { tenantId, tenantStatus: tenant?.status ?? null, account, counter, counted, source };
  });
};

/** For the audit log only. */
export const whyNot = ({ tenantStatus, account, counted }: Candidate): string => {
  if (tenantStatus !== 'active') return 'TENANT_NOT_ACTIVE';
  if (account === null) return 'USER_UNKNOWN';
  if (counted === 'locked') return 'USER_LOCKED';
  if (account.status !== 'active') return 'USER_NOT_ACTIVE';
  return account.passwordHash === null ? 'PASSWORD_NOT_SET' : 'PASSWORD_WRONG';
};

/** One hash, whatever is the matter: the record's where there is one that counts, else a dummy's. */
export const proven = async (ports: CandidatePorts, candidate: Candidate, password: string, call: Call): Promise<string | null> => {
  const { account, counted, tenantStatus, tenantId, counter, source } = candidate;
  const counts = tenantStatus === 'active' && counted !== 'locked' && account?.status === 'active';
  const record = counts ? account.passwordHash : null;
  const right = await ports.passwords.verify(record, password, call.deadline).catch(async (fault: unknown) => {
    if (counted !== 'locked') await ports.db.tenant(tenantId, (tx) => ports.attempts.refund(tx, tenantId, counter, source, ports.limits));
    throw fault;
  });
  return right ? record : null;
};
