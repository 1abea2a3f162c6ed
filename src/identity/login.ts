// Login with a password. Unknown, wrong, locked, suspended: one answer, in one time, and no more guesses than the limit.
import { isIP } from 'node:net';
import type { Call, MaybePromise } from '../base/call.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Write } from '../storage/storage.ts';
import type { BindingAsked, Device, Tokens, TokensDoor } from '../tokens/tokens.ts';
import { type AssessPorts, assessLogin } from './assess-login.ts';
import { type Candidate, type CandidatePorts, lookUp, proven, whyNot } from './candidate.ts';
import { nameKey } from './names.ts';
import type { Passwords } from './password.ts';
import { bindsAddress, DEFAULT_POLICY, type TenantPolicy } from './policy.ts';
import { sourceOfAddress } from '../base/address.ts';
import type { Attempts, Counted, LoginPlaces, TenantStore, UserStore } from './stores.ts';
import { createTurns } from './turns.ts';

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
  /** What the session's tokens are to be bound to; left out: nothing, unless a DPoP proof is shown. */
  readonly bind?: BindingAsked;
}

export interface LoginPorts extends CandidatePorts, AssessPorts {
  readonly write: Write;
  readonly passwords: Passwords;
  readonly tenants: Pick<TenantStore, 'isActive'>;
  readonly users: Pick<UserStore, 'byName' | 'loggedIn'>;
  readonly attempts: Attempts;
  readonly places: LoginPlaces;
  readonly tenant: (tenantId: TenantId) => MaybePromise<{ readonly status: string; readonly policy: TenantPolicy | null } | null>;
  readonly rolesOf: (tenantId: TenantId, userIds: readonly string[]) => MaybePromise<ReadonlyMap<string, readonly string[]>>;
  readonly holds: (call: Call, permission: string) => MaybePromise<boolean>;
  readonly openSession: TokensDoor['open'];
  readonly bind: TokensDoor['bind'];
  readonly sessionTerms: TokensDoor['terms'];
  /** Counts logins that came to their end; an outage is none. */
  readonly loginEnded: (result: 'success' | 'failure') => void;
  /** Counts a refused login; aggregated, never dropped. */
  readonly refused: (entry: AuditEntry) => void;
}

export const credentialsInvalid = (): Fault => new Fault('UNAUTHENTICATED', 'CREDENTIALS_INVALID', 'the name or the password is not right');

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

/** Scope tokens of RFC 6749 §3.3. */
const checkScopes = (scopes: readonly string[]): void => {
  const at = scopes.findIndex((scope) => !SCOPE.test(scope));
  if (at >= 0) throw badField(`scopes[${at}]`, 'must be a scope: printable ASCII without blanks, quotes and backslashes');
};

interface Source {
  readonly address: string;
  readonly userAgent: string;
  /** What the tokens will be bound to. */
  readonly confirmation: Awaited<ReturnType<TokensDoor['bind']>>;
}

const sourceOf = async (ports: LoginPorts, request: LoginRequest, call: Call): Promise<Source> => {
  const said = request.context.ipAddress;
  const trusted = said !== '' && call.caller.kind !== 'anonymous' && (await ports.holds(call, 'context:assert'));
  if (trusted && isIP(said) === 0) throw badField('context.ip_address', 'must be an IP address');
  // Before the password is looked at: a proof that does not hold is no guess.
  const confirmation = await ports.bind(request.bind ?? { binding: '', context: undefined }, call);
  return trusted
    ? { address: said, userAgent: request.context.userAgent, confirmation }
    : { address: call.peer.address, userAgent: call.userAgent, confirmation };
};

const refuse = (ports: LoginPorts, candidate: Candidate, counted: Counted, address: string, call: Call): Fault => {
  const { account, guess, tenantId, tenantStatus } = candidate;
  const reason = whyNot(candidate, counted);
  ports.loginEnded('failure');
  ports.refused(
    eventOf(
      call,
      tenantStatus === null ? '' : tenantId,
      'user.login_failed',
      account === null ? `account:${guess.account}` : `user:${account.userId}`,
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

const attempt = (ports: LoginPorts) => {
  const assess = assessLogin(ports);
  return async (request: LoginRequest, { address, userAgent, confirmation }: Source, call: Call): Promise<Tokens> => {
    const candidate = await lookUp(ports, request, address);
    const { tenantId, account, guess } = candidate;
    const { record, counted } = await proven(ports, candidate, request.password, call);
    if (record === null || account === null) throw refuse(ports, candidate, counted, address, call);
    const { userId } = account;
    const replacement = ports.passwords.outdated(record) ? await ports.passwords.hash(request.password, call.deadline) : null;
    const roles = (await ports.rolesOf(tenantId, [userId])).get(userId) ?? [];
    const terms = await ports.sessionTerms(tenantId, userId);
    const { bindAddressFrom } = (await ports.tenant(tenantId))?.policy ?? DEFAULT_POLICY;
    const { result } = await ports.write(tenantId, async (tx) => {
      // The hash took its time: tenant and user are looked at again, and held until the session is there.
      if (!(await ports.tenants.isActive(tx, tenantId)) || !(await ports.users.loggedIn(tx, tenantId, userId, record, replacement)))
        return { result: null };
      const arrival = { tenantId, userId, address, userAgent, device: request.device };
      const risk = await assess(tx, arrival);
      await ports.attempts.clear(tx, guess);
      const tokens = await ports.openSession({
        tenantId,
        userId,
        role: roles[0] ?? '',
        scopes: request.scopes,
        ...(call.caller.kind === 'workload' ? { clientId: `${call.caller.namespace}/${call.caller.name}` } : {}),
        authMethod: 'password',
        mfaVerified: false,
        device: request.device,
        ipAddress: address,
        userAgent,
        confirmation,
        terms,
        riskLevel: risk.level,
        riskScore: risk.score,
        riskIndicators: risk.indicators,
        bindAddress: bindsAddress(risk.level, bindAddressFrom),
        tx,
      });
      const details = { sessionId: tokens.sessionId, authMethod: 'password', risk: risk.score };
      const actor = { type: 'user', id: userId, tenantId };
      return {
        result: tokens,
        events: [
          eventOf(call, tenantId, 'user.login', `user:${userId}`, {
            actor,
            ipAddress: address,
            sessionId: tokens.sessionId,
            level: risk.level === 'low' || risk.level === 'medium' ? 'info' : 'warning',
            riskIndicators: risk.indicators,
            details,
          }),
        ],
      };
    });
    if (result === null) throw refuse(ports, candidate, counted, address, call);
    ports.loginEnded('success');
    return result;
  };
};

/** Logins of one account from one place that may wait for one another; together they take one hashing thread. */
const LINE = 64;

export const login = (ports: LoginPorts) => {
  const turns = createTurns(LINE);
  const one = attempt(ports);
  return async (request: LoginRequest, call: Call): Promise<Tokens> => {
    checkScopes(request.scopes);
    const source = await sourceOf(ports, request, call);
    const line = lengthPrefixed([request.tenantId, nameKey(request.username), sourceOfAddress(source.address)]).toString('base64');
    return turns(line, () => one(request, source, call));
  };
};
