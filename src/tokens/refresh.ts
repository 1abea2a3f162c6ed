// Refreshing: one token, one successor, whoever asks how often. Read from top to bottom: read, refuse early, decide in the database, sign.
import type { Call, MaybePromise } from '../base/call.ts';
import { subjectOf, type TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { Confirmation, Shown } from '../base/possession.ts';
import type { Outcome, ReadHead, Tx, Write } from '../storage/storage.ts';
import { type BindDeps, confirmationFor, type PeerContext, shownBy } from './bind.ts';
import type { DenyList } from './deny-list.ts';
import type { FamilyKey, Successor } from './families.ts';
import { type Device, type Family, fingerprintOf, judge, type Presented } from './family.ts';
import { claimsOf, issue, lifeFrom, type Tokens } from './issue.ts';
import type { Mirror } from './mirror.ts';
import { type OpenDeps, type SessionTerms, shorter } from './open.ts';
import { hashOf, printRefreshToken, readRefreshToken, type RefreshToken, successorOf } from './refresh-token.ts';
import { type Watermarks, watermark } from './watermark.ts';

/** A tenant or a user as it stands now; sessions whose login saw a smaller head than `watermark` are over. */
export interface Standing {
  readonly status: string;
  readonly watermark: number;
}

/** How a request asks for its tokens to be bound. */
export interface BindingAsked {
  /** One of BINDINGS. */
  readonly binding: string;
  readonly context: PeerContext | undefined;
}

export interface RefreshDeps extends OpenDeps, BindDeps {
  /** `unbound`: who proves a key keeps the refresh token; only the others' are rotated. */
  readonly rotation: 'always' | 'unbound';
  readonly write: Write;
  readonly readHead: ReadHead;
  readonly mirror: Mirror;
  readonly denyList: DenyList;
  readonly watermarks: Watermarks;
  user(tenantId: TenantId, userId: string): MaybePromise<Standing | null>;
  tenant(tenantId: TenantId): MaybePromise<Standing | null>;
}

type Refused =
  | 'REFRESH_TOKEN_INVALID'
  | 'REFRESH_TOKEN_REUSED'
  | 'REAUTHENTICATION_REQUIRED'
  | 'SESSION_ENDED'
  | 'SESSION_IDLE'
  | 'BINDING_MISSING'
  | 'BINDING_MISMATCH';

type Decided =
  /** `salt`: null where the presented token stays the one that counts. */
  | { readonly kind: 'granted'; readonly family: Family; readonly salt: Buffer | null }
  | { readonly kind: 'refused'; readonly reason: Refused; readonly message: string };

const refused = (reason: Refused, message: string): Decided => ({ kind: 'refused', reason, message });
const fault = (reason: string, message: string): Fault => new Fault('UNAUTHENTICATED', reason, message);

const REUSED = refused('REFRESH_TOKEN_REUSED', 'a refresh token of this session was used twice: the session is ended');
const ENDED = 'the session of this refresh token has ended';

/**
 * Racers are believed to be one client when the same credential sends them: the calling workload or key. The user's own access token
 * is no other sender than none at all: it may have expired between a request and its retry.
 */
const senderOf = ({ caller }: Call, token: RefreshToken): string => {
  const own = caller.kind === 'user' && caller.tenantId === token.tenantId && caller.userId === token.userId;
  if (caller.kind === 'anonymous' || own) return 'anonymous';
  const { type, id } = subjectOf(caller);
  return `${type}:${caller.tenantId}:${id}`;
};

const event = (call: Call, family: Family, type: string, over: Partial<AuditEntry> = {}): AuditEntry =>
  eventOf(call, family.tenantId, type, `family:${family.familyId}`, {
    actor: { type: 'user', id: family.userId, tenantId: family.tenantId },
    sessionId: family.sessionId,
    ...over,
    details: { generation: family.generation, ...over.details },
  });

/** Ends the family in the transaction that has just looked at it: committed before anybody hears of it. */
const endFamily = async (
  deps: RefreshDeps,
  tx: Tx,
  family: Family,
  detail: string,
  entry: AuditEntry,
  answer: Decided,
): Promise<Outcome<Decided>> => {
  await deps.families.endFamily(tx, family, detail);
  return { result: answer, changes: [watermark(deps.watermarks, 'family', family.tenantId, family.familyId, detail)], events: [entry] };
};

/** A watermark above the login's head ends the family, whichever way it was written. */
const marked = (deps: RefreshDeps, family: Family, floor: number): boolean =>
  family.birthRsq < floor ||
  deps.mirror.refusal({
    tenantId: family.tenantId,
    clientId: family.clientId,
    subject: family.userId,
    sessionId: family.sessionId,
    familyId: family.familyId,
    tokenId: '',
    rsq: family.birthRsq,
  }) !== null;

/** The presented token did not rotate its family: a retry, a thief, or too late. */
const judged = async (
  deps: RefreshDeps,
  tx: Tx,
  key: FamilyKey,
  presented: Presented,
  floor: number,
  call: Call,
): Promise<Outcome<Decided>> => {
  const locked = await deps.families.lock(tx, key);
  if (locked === null) return { result: refused('REFRESH_TOKEN_INVALID', 'no such refresh token') };
  const { family } = locked;
  const judgement = judge(family, presented, locked.now);
  switch (judgement.kind) {
    case 'replay':
      if (marked(deps, family, floor)) return { result: refused('SESSION_ENDED', ENDED) };
      return {
        result: { kind: 'granted', family, salt: family.successorSalt ?? Buffer.alloc(0) },
        events: [event(call, family, 'token.replayed')],
      };
    case 'reused': {
      const entry = event(call, family, 'token.reused', {
        result: 'failure',
        reason: 'REFRESH_TOKEN_REUSED',
        level: 'alert',
        details: { distance: judgement.distance, same_sender: presented.sender === family.sender },
      });
      return endFamily(deps, tx, family, 'reused', entry, REUSED);
    }
    case 'ended':
      return { result: judgement.reason === 'reused' ? REUSED : refused('SESSION_ENDED', ENDED) };
    case 'idle':
      return { result: refused('SESSION_IDLE', 'the session was not used for too long: log in again') };
    case 'expired':
      return { result: refused('REAUTHENTICATION_REQUIRED', 'the session has reached its end: log in again') };
    case 'other_device':
      return {
        result: refused('REAUTHENTICATION_REQUIRED', 'another device than the one that logged in: log in again'),
        events: [event(call, family, 'token.refused', { result: 'failure', reason: 'DEVICE_MISMATCH', level: 'warning' })],
      };
    case 'unbound': {
      const reason = judgement.problem === 'missing' ? 'BINDING_MISSING' : 'BINDING_MISMATCH';
      return {
        result: refused(reason, 'the refresh token is bound to a key: show the certificate or the DPoP proof it was issued to'),
        events: [event(call, family, 'token.refused', { result: 'failure', reason, level: 'warning' })],
      };
    }
    case 'unknown':
      return { result: refused('REFRESH_TOKEN_INVALID', 'no such refresh token') };
  }
};

const confirmable = (shown: Shown): boolean => Object.values(shown).some((value) => value !== '');

const successorWith = (
  deps: RefreshDeps,
  token: RefreshToken,
  salt: Buffer,
  access: Successor['access'],
  confirmation: Confirmation | null,
): Successor => ({ hash: hashOf(deps.refreshKeys, successorOf(deps.refreshKeys, token, salt)), salt, access, confirmation });

/** One transaction: the head first, then the compare-and-set, then, for whoever lost it, the judgement under the row's lock. */
const decide = (
  deps: RefreshDeps,
  token: RefreshToken,
  presented: Presented,
  confirmation: Confirmation | null,
  floor: number,
  terms: SessionTerms,
  call: Call,
): Promise<{ readonly result: Decided }> =>
  deps.write(token.tenantId, async (tx): Promise<Outcome<Decided>> => {
    const rsq = await deps.readHead(tx);
    const idle = shorter(deps.sessionIdle, terms.idle);
    const access = { ...lifeFrom(deps.clock.now(), shorter(deps.accessLife, terms.accessLife), deps.random), rsq };
    // Asked only where it can be: what nothing was shown for is bound to nothing, or not given out.
    const kept =
      deps.rotation === 'unbound' && confirmable(presented.shown) ? await deps.families.keep(tx, token, presented, access, idle) : null;
    const salt = kept === null ? deps.random.bytes(16) : null;
    const family =
      salt === null ? kept : await deps.families.rotate(tx, token, presented, successorWith(deps, token, salt, access, confirmation), idle);
    if (family === null) return judged(deps, tx, token, presented, floor, call);
    if (marked(deps, family, floor))
      return endFamily(
        deps,
        tx,
        family,
        'watermark',
        event(call, family, 'token.refused', { result: 'failure', reason: 'SESSION_ENDED' }),
        refused('SESSION_ENDED', ENDED),
      );
    return {
      result: { kind: 'granted', family, salt },
      events: [event(call, family, 'token.refreshed', { details: { rotated: salt !== null } })],
    };
  });

/**
 * Before the database: who is asking, and may they still? Nothing is loaded inside the transaction.
 * Answers the head that the login must have seen at least.
 */
const assertStanding = async (deps: RefreshDeps, token: RefreshToken): Promise<number> => {
  const tenant = await deps.tenant(token.tenantId);
  if (tenant === null) throw fault('REFRESH_TOKEN_INVALID', 'no such refresh token');
  if (tenant.status !== 'active') throw fault('TENANT_SUSPENDED', 'the tenant is suspended');
  const user = await deps.user(token.tenantId, token.userId);
  if (user === null) throw fault('REFRESH_TOKEN_INVALID', 'no such refresh token');
  if (user.status !== 'active') throw fault('USER_SUSPENDED', 'the user is not active');
  return Math.max(tenant.watermark, user.watermark);
};

export const refreshTokens =
  (deps: RefreshDeps) =>
  async (text: string, device: Device | null, call: Call, asked: Partial<BindingAsked> = {}): Promise<Tokens> => {
    const token = readRefreshToken(deps.refreshKeys, text);
    if (token === null) throw fault('REFRESH_TOKEN_INVALID', 'no such refresh token');
    const dead = await deps.denyList.deadFamily(token.tenantId, token.familyId);
    if (dead !== null) throw fault(dead === 'reused' ? 'REFRESH_TOKEN_REUSED' : 'SESSION_ENDED', ENDED);
    const floor = await assertStanding(deps, token);
    const shown = await shownBy(deps)(asked.context, call);
    const confirmation = confirmationFor(asked.binding ?? '', shown);
    const terms = await deps.terms(token.tenantId, token.userId);

    const presented: Presented = {
      generation: token.generation,
      hash: hashOf(deps.refreshKeys, token),
      sender: senderOf(call, token),
      deviceId: device?.deviceId ?? '',
      fingerprint: fingerprintOf(token.tenantId, device?.fingerprint ?? ''),
      shown,
    };
    const { result } = await decide(deps, token, presented, confirmation, floor, terms, call);
    if (result.kind === 'refused') {
      if (result.reason === 'REFRESH_TOKEN_REUSED') deps.denyList.endFamily(token.tenantId, token.familyId, 'reused');
      throw fault(result.reason, result.message);
    }

    const { family, salt } = result;
    const { permissions } = await deps.rights(family.tenantId, { type: 'user', id: family.userId });
    const next = salt === null ? text : printRefreshToken(deps.refreshKeys, successorOf(deps.refreshKeys, token, salt));
    return issue(
      deps.keyring,
      claimsOf(deps.issuer, family, family.access, { permissions, restrictions: terms.restrictions, limitsSeq: terms.asOf }),
      next,
    );
  };
