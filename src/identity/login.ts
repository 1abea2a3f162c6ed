// Login with a password. Unknown, wrong, locked, suspended: one answer, in one time, and no more guesses than the limit.
import { isIP } from 'node:net';
import { hmacSha256 } from '../base/bytes.ts';
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Database, ReadHead, Write } from '../storage/storage.ts';
import type { Device, Tokens, TokensDoor } from '../tokens/tokens.ts';
import { nameKey } from './names.ts';
import type { Passwords } from './password.ts';
import { sourceOfAddress } from './source.ts';
import type { AttemptLimits, Attempts, LoginAccount, TenantStore, UserStore } from './stores.ts';

export interface LoginRequest {
  /** '' = the only active tenant there is. */
  readonly tenantId: TenantId;
  /** User name or e-mail address. */
  readonly username: string;
  readonly password: string;
  readonly scopes: readonly string[];
  readonly device: Device | null;
  /** What the caller says of the address; believed from callers with `context:assert`. */
  readonly context: { readonly ipAddress: string; readonly userAgent: string };
}

export interface LoginPorts {
  readonly db: Database;
  readonly write: Write;
  readonly readHead: ReadHead;
  readonly limits: AttemptLimits;
  /** Hides the names of accounts that do not exist in the table of attempts. */
  readonly accountSecret: Uint8Array;
  readonly passwords: Passwords;
  readonly tenants: Pick<TenantStore, 'isActive'>;
  readonly users: Pick<UserStore, 'byName' | 'loggedIn'>;
  readonly attempts: Attempts;
  readonly soleTenant: () => MaybePromise<TenantId | null>;
  readonly tenant: (tenantId: TenantId) => MaybePromise<{ readonly status: string } | null>;
  readonly rolesOf: (tenantId: TenantId, userIds: readonly string[]) => MaybePromise<ReadonlyMap<string, readonly string[]>>;
  readonly holds: (call: Call, permission: string) => MaybePromise<boolean>;
  readonly openSession: TokensDoor['open'];
  /** Counts a refused login; aggregated, never dropped. */
  readonly refused: (entry: AuditEntry) => void;
}

/** What is known before the password is looked at. */
interface Candidate {
  readonly tenantId: TenantId;
  /** null where there is no such tenant. */
  readonly tenantStatus: string | null;
  readonly account: LoginAccount | null;
  /** Under which the attempts are counted: the user's id, or a keyed hash of a name nobody has. */
  readonly counter: string;
  readonly counted: 'open' | 'last' | 'locked';
  readonly source: string;
}

export const credentialsInvalid = (): Fault => new Fault('UNAUTHENTICATED', 'CREDENTIALS_INVALID', 'the name or the password is not right');

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

/** Scope tokens of RFC 6749 §3.3. */
const checkScopes = (scopes: readonly string[]): void => {
  const at = scopes.findIndex((scope) => !SCOPE.test(scope));
  if (at >= 0) throw badField(`scopes[${at}]`, 'must be a scope: printable ASCII without blanks, quotes and backslashes');
};

const sourceOf = async ({ holds }: LoginPorts, request: LoginRequest, call: Call): Promise<{ address: string; userAgent: string }> => {
  const said = request.context.ipAddress;
  const trusted = said !== '' && call.caller.kind !== 'anonymous' && (await holds(call, 'context:assert'));
  if (trusted && isIP(said) === 0) throw badField('context.ip_address', 'must be an IP address');
  return trusted ? { address: said, userAgent: request.context.userAgent } : { address: call.peer.address, userAgent: call.userAgent };
};

/** Finds the account and counts this attempt, in one transaction that is the same for accounts that do not exist. */
const lookUp = async (ports: LoginPorts, request: LoginRequest, source: string): Promise<Candidate> => {
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

const whyNot = ({ tenantStatus, account, counted }: Candidate): string => {
  if (tenantStatus !== 'active') return 'TENANT_NOT_ACTIVE';
  if (account === null) return 'USER_UNKNOWN';
  if (counted === 'locked') return 'USER_LOCKED';
  if (account.status !== 'active') return 'USER_NOT_ACTIVE';
  return account.passwordHash === null ? 'PASSWORD_NOT_SET' : 'PASSWORD_WRONG';
};

const refuse = (ports: LoginPorts, candidate: Candidate, address: string, call: Call): Fault => {
  const { account, counter, counted, tenantId, tenantStatus } = candidate;
  const reason = whyNot(candidate);
  ports.refused(
    eventOf(
      call,
      tenantStatus === null ? '' : tenantId,
      'user.login_failed',
      account === null ? `account:${counter}` : `user:${account.userId}`,
      {
        result: 'failure',
        // The attempt that uses the limit up, and every one after it, is what an operator wants to see.
        level: counted === 'open' ? 'warning' : 'alert',
        reason,
        ipAddress: address,
        details: { locks: counted === 'last' },
      },
    ),
  );
  return credentialsInvalid();
};

/** One hash, whatever is the matter: the record's where there is one that counts, else a dummy's. */
const proven = async (ports: LoginPorts, candidate: Candidate, password: string, call: Call): Promise<string | null> => {
  const { account, counted, tenantStatus, tenantId, counter, source } = candidate;
  const counts = tenantStatus === 'active' && counted !== 'locked' && account?.status === 'active';
  const record = counts ? account.passwordHash : null;
  const right = await ports.passwords.verify(record, password, call.deadline).catch(async (fault: unknown) => {
    if (counted !== 'locked') await ports.db.tenant(tenantId, (tx) => ports.attempts.refund(tx, tenantId, counter, source, ports.limits));
    throw fault;
  });
  return right ? record : null;
};

export const login =
  (ports: LoginPorts) =>
  async (request: LoginRequest, call: Call): Promise<Tokens> => {
    checkScopes(request.scopes);
    const { address, userAgent } = await sourceOf(ports, request, call);
    const candidate = await lookUp(ports, request, sourceOfAddress(address));
    const { tenantId, account, counter } = candidate;
    const record = await proven(ports, candidate, request.password, call);
    if (record === null || account === null) throw refuse(ports, candidate, address, call);
    const { userId } = account;
    const replacement = ports.passwords.outdated(record) ? await ports.passwords.hash(request.password, call.deadline) : null;
    const roles = (await ports.rolesOf(tenantId, [userId])).get(userId) ?? [];
    const { result } = await ports.write(tenantId, async (tx) => {
      // First, so that whatever is revoked from here on ends this session too.
      const rsq = await ports.readHead(tx);
      // The hash took its time: tenant and user are looked at again, and held until the session is there.
      if (!(await ports.tenants.isActive(tx, tenantId)) || !(await ports.users.loggedIn(tx, tenantId, userId, record, replacement)))
        return { result: null };
      await ports.attempts.clear(tx, tenantId, counter, candidate.source, ports.limits);
      const tokens = await ports.openSession({
        tenantId,
        userId,
        role: roles[0] ?? '',
        scopes: request.scopes,
        authMethod: 'password',
        mfaVerified: false,
        device: request.device,
        ipAddress: address,
        userAgent,
        rsq,
        tx,
      });
      const details = { sessionId: tokens.sessionId, authMethod: 'password' };
      const actor = { type: 'user', id: userId, tenantId };
      return {
        result: tokens,
        events: [
          eventOf(call, tenantId, 'user.login', `user:${userId}`, { actor, ipAddress: address, sessionId: tokens.sessionId, details }),
        ],
      };
    });
    if (result === null) throw refuse(ports, candidate, address, call);
    return result;
  };
