// Who wants to log in, and whether the password is his: the same steps at the same price for accounts that do not exist.
import { hmacSha256 } from '../base/bytes.ts';
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import { guessFrom, type GuessPorts, judgeGuess } from './guess.ts';
import { nameKey } from './names.ts';
import type { Counted, Guess, LoginAccount, UserStore } from './stores.ts';

export interface CandidatePorts extends GuessPorts {
  /** Hides the names of accounts that do not exist in the table of attempts. */
  readonly accountSecret: Uint8Array;
  readonly users: Pick<UserStore, 'byName'>;
  readonly soleTenant: () => MaybePromise<TenantId | null>;
  readonly tenant: (tenantId: TenantId) => MaybePromise<{ readonly status: string } | null>;
}

/** What is known before the password is looked at. */
export interface Candidate {
  readonly tenantId: TenantId;
  /** null where there is no such tenant. */
  readonly tenantStatus: string | null;
  readonly account: LoginAccount | null;
  readonly guess: Guess;
}

/** Finds the account, with the same questions where there is none. */
export const lookUp = async (
  ports: CandidatePorts,
  request: { readonly tenantId: TenantId; readonly username: string },
  address: string,
): Promise<Candidate> => {
  const tenantId = request.tenantId !== '' ? request.tenantId : ((await ports.soleTenant()) ?? '');
  const tenant = await ports.tenant(tenantId);
  const key = nameKey(request.username);
  return ports.db.tenant(tenantId, async (tx) => {
    const account = await ports.users.byName(tx, tenantId, key);
    const counter = account?.userId ?? hmacSha256(ports.accountSecret, lengthPrefixed([tenantId, key])).toString('base64url');
    const guess = await guessFrom(ports, tx, tenantId, counter, address);
    return { tenantId, tenantStatus: tenant?.status ?? null, account, guess };
  });
};

/** For the audit log only. */
export const whyNot = ({ tenantStatus, account }: Candidate, counted: Counted): string => {
  if (tenantStatus !== 'active') return 'TENANT_NOT_ACTIVE';
  if (account === null) return 'USER_UNKNOWN';
  if (counted === 'locked') return 'USER_LOCKED';
  if (account.status !== 'active') return 'USER_NOT_ACTIVE';
  return account.passwordHash === null ? 'PASSWORD_NOT_SET' : 'PASSWORD_WRONG';
};

/** `record`: what the password was proved by, null where it is refused. */
export const proven = async (
  ports: CandidatePorts,
  { account, tenantStatus, guess }: Candidate,
  password: string,
  call: Call,
): Promise<{ readonly record: string | null; readonly counted: Counted }> => {
  const counts = tenantStatus === 'active' && account?.status === 'active';
  const record = counts ? account.passwordHash : null;
  const { right, counted } = await judgeGuess(ports, guess, record, password, call);
  return { record: right ? record : null, counted };
};
