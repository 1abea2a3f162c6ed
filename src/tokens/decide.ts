// What the use of a refresh token means, decided in the database: one successor, whoever asks how often, and the end of what was stolen.
import type { Call } from '../base/call.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { toFault } from '../base/fault.ts';
import type { Confirmation, Shown } from '../base/possession.ts';
import type { Millis } from '../base/time.ts';
import type { CreateGroupCommit, Outcome, Tx, Write } from '../storage/storage.ts';
import type { Rotation, Use as StoredUse } from './families.ts';
import { judge, type Presented, type Rotated } from './family.ts';
import { lifeFrom } from './issue.ts';
import type { Mirror } from './mirror.ts';
import { type OpenDeps, type SessionTerms, shorter } from './open.ts';
import { hashOf, type RefreshToken, successorOf } from './refresh-token.ts';
import { type Watermarks, watermark } from './watermark.ts';

export interface DecideDeps extends OpenDeps {
  /** `unbound`: who proves a key keeps the refresh token; only the others' are rotated. */
  readonly rotation: 'always' | 'unbound';
  readonly write: Write;
  readonly groupCommit: CreateGroupCommit;
  readonly mirror: Mirror;
  readonly watermarks: Watermarks;
}

/** A refresh token as it is presented, and all that is known of it before the database is asked. */
export interface Use {
  readonly token: RefreshToken;
  readonly presented: Presented;
  /** What its family shall be bound to, where it is not yet. */
  readonly confirmation: Confirmation | null;
  /** The head that the login must have seen at least. */
  readonly floor: number;
  /** How far the feed had come here before anything was looked at. */
  readonly known: number;
  readonly terms: SessionTerms;
  readonly call: Call;
}

type Refused =
  | 'REFRESH_TOKEN_INVALID'
  | 'REFRESH_TOKEN_REUSED'
  | 'REAUTHENTICATION_REQUIRED'
  | 'SESSION_ENDED'
  | 'SESSION_IDLE'
  | 'BINDING_MISSING'
  | 'BINDING_MISMATCH';

export type Decided =
  /** `salt`: null where the presented token stays the one that counts. */
  | { readonly kind: 'granted'; readonly family: Rotated; readonly salt: Buffer | null }
  | { readonly kind: 'refused'; readonly reason: Refused; readonly message: string };

const refused = (reason: Refused, message: string): Decided => ({ kind: 'refused', reason, message });

const REUSED = refused('REFRESH_TOKEN_REUSED', 'a refresh token of this session was used twice: the session is ended');
export const ENDED = 'the session of this refresh token has ended';

const event = (call: Call, family: Rotated, type: string, over: Partial<AuditEntry> = {}): AuditEntry =>
  eventOf(call, family.tenantId, type, `family:${family.familyId}`, {
    actor: { type: 'user', id: family.userId, tenantId: family.tenantId },
    sessionId: family.sessionId,
    ...over,
    details: { generation: family.generation, ...over.details },
  });

/** Ends the family in the transaction that has just looked at it: committed before anybody hears of it. */
const endFamily = async (
  deps: DecideDeps,
  tx: Tx,
  family: Rotated,
  detail: string,
  entry: AuditEntry,
  answer: Decided,
): Promise<Outcome<Decided>> => {
  await deps.families.endFamily(tx, family, detail);
  return { result: answer, changes: [watermark(deps.watermarks, 'family', family.tenantId, family.familyId, detail)], events: [entry] };
};

/** A watermark above the login's head ends the family, whichever way it was written. */
const marked = (deps: DecideDeps, family: Rotated, floor: number): boolean =>
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
const judged = async (deps: DecideDeps, tx: Tx, use: Use): Promise<Outcome<Decided>> => {
  const { presented, call } = use;
  const locked = await deps.families.lock(tx, use.token);
  if (locked === null) return { result: refused('REFRESH_TOKEN_INVALID', 'no such refresh token') };
  const { family } = locked;
  const judgement = judge(family, presented, locked.now);
  switch (judgement.kind) {
    case 'replay':
      if (marked(deps, family, use.floor)) return { result: refused('SESSION_ENDED', ENDED) };
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

const stored = (deps: DecideDeps, { token, presented, terms, known }: Use): StoredUse => ({
  familyId: token.familyId,
  presented,
  access: lifeFrom(deps.clock.now(), shorter(deps.accessLife, terms.accessLife), deps.random),
  idle: shorter(deps.sessionIdle, terms.idle),
  known,
});

const rotationOf = (deps: DecideDeps, use: Use): Rotation => {
  const salt = deps.random.bytes(16);
  return {
    ...stored(deps, use),
    hash: hashOf(deps.refreshKeys, successorOf(deps.refreshKeys, use.token, salt)),
    salt,
    confirmation: use.confirmation,
  };
};

/** It counted. Unless its login was ended in a way that the row does not know of, it is granted. */
const counted = async (deps: DecideDeps, tx: Tx, { call, floor }: Use, family: Rotated, salt: Buffer | null): Promise<Outcome<Decided>> =>
  marked(deps, family, floor)
    ? endFamily(
        deps,
        tx,
        family,
        'watermark',
        event(call, family, 'token.refused', { result: 'failure', reason: 'SESSION_ENDED' }),
        refused('SESSION_ENDED', ENDED),
      )
    : {
        result: { kind: 'granted', family, salt },
        events: [event(call, family, 'token.refreshed', { details: { rotated: salt !== null } })],
      };

const rotate = async (deps: DecideDeps, tx: Tx, uses: readonly Use[]): Promise<(Outcome<Decided> | null)[]> => {
  const rotations = uses.map((use) => rotationOf(deps, use));
  const families = await deps.families.rotate(tx, uses[0]?.token.tenantId ?? '', rotations);
  const outcomes: (Outcome<Decided> | null)[] = [];
  for (const [at, use] of uses.entries()) {
    const family = families[at] ?? null;
    outcomes.push(family === null ? null : await counted(deps, tx, use, family, rotations[at]?.salt ?? null));
  }
  return outcomes;
};

/** One transaction: the compare-and-set, then, where it failed, the judgement under the row's lock. */
const decideAlone = async (deps: DecideDeps, use: Use): Promise<Decided> => {
  const { result } = await deps.write(use.token.tenantId, async (tx): Promise<Outcome<Decided>> => {
    // Asked only where it can be: what nothing was shown for is bound to nothing, or not given out.
    if (deps.rotation === 'unbound' && confirmable(use.presented.shown)) {
      const kept = await deps.families.keep(tx, use.token.tenantId, stored(deps, use));
      if (kept !== null) return counted(deps, tx, use, kept, null);
    }
    const [outcome] = await rotate(deps, tx, [use]);
    return outcome ?? judged(deps, tx, use);
  });
  return result;
};

/** Those of one tenant that came at the same time in one transaction; null: not decided, it must be asked alone. */
const decideTogether = async (deps: DecideDeps, uses: readonly Use[]): Promise<readonly (Decided | null)[]> => {
  const [first, ...others] = uses;
  if (first === undefined) return [];
  if (others.length === 0) return [await decideAlone(deps, first)];
  try {
    const { result } = await deps.write(first.token.tenantId, async (tx) => {
      const outcomes = await rotate(deps, tx, uses);
      return {
        result: outcomes.map((outcome) => outcome?.result ?? null),
        changes: outcomes.flatMap((outcome) => outcome?.changes ?? []),
        events: outcomes.flatMap((outcome) => outcome?.events ?? []),
      };
    });
    return result;
  } catch (error) {
    // Whether a store that went away has stored it, nobody knows; otherwise nothing was, and what is wrong with one is not the others' fault.
    if (toFault(error).code === 'UNAVAILABLE') throw error;
    return uses.map(() => null);
  }
};

/** At most; about a millisecond of hashing. */
const BATCH = 64;

/** Many times what a transaction takes: one that is stuck is not waited for by those behind it. */
const PATIENCE: Millis = 250;

/** What a use means, once that is committed. UNAVAILABLE where the store is away; then nobody knows. */
export const createDecide = (deps: DecideDeps): ((use: Use) => Promise<Decided>) => {
  const group = deps.groupCommit<Use, Decided | null>((uses) => decideTogether(deps, uses), {
    delay: 0,
    batch: BATCH,
    patience: PATIENCE,
    lane: ({ token }) => token.tenantId,
  });
  return async (use) =>
    deps.rotation === 'unbound' && confirmable(use.presented.shown)
      ? decideAlone(deps, use)
      : ((await group.add(use)) ?? (await decideAlone(deps, use)));
};
