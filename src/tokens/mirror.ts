// The mirror: every live watermark of the installation, in memory, so that a verdict needs no I/O. It is not a cache: nothing leaves early.
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';
import type { Claims } from './claims.ts';
import type { Refusal } from './jws.ts';

export const WATERMARK_KINDS = ['tenant', 'client', 'user', 'session', 'family', 'token', 'limits'] as const;
export type WatermarkKind = (typeof WATERMARK_KINDS)[number];
export const isWatermarkKind = (kind: string): kind is WatermarkKind => (WATERMARK_KINDS as readonly string[]).includes(kind);
export const isWatermark = <C extends { readonly kind: string }>(change: C): change is C & { readonly kind: WatermarkKind } =>
  isWatermarkKind(change.kind);

/** What the mirror reads of an applied change. */
export interface Watermark {
  readonly kind: WatermarkKind;
  readonly tenantId: TenantId;
  readonly key: string;
  readonly seq: number;
  readonly until: Instant | null;
  readonly detail: string;
}

/** What a token must say of itself to be looked up. */
export type Marked = Pick<Claims, 'tenantId' | 'clientId' | 'subject' | 'sessionId' | 'familyId' | 'tokenId' | 'rsq'> &
  Partial<Pick<Claims, 'delegation'>>;

/** A watermark as the mirror still knows it. */
export interface LiveMark {
  /** `tenant` with the key '' for whatever names nobody. */
  readonly kind: WatermarkKind;
  readonly tenantId: TenantId;
  readonly key: string;
  readonly seq: number;
  /** The end of its minute: never before its own. */
  readonly until: Instant;
  /** `suspended` or ''. */
  readonly detail: string;
}

export interface Mirror {
  apply(change: Watermark): void;
  /** Why a token is refused, or null. Seven look-ups at most, one where its tenant has no watermark. */
  refusal(token: Marked): Refusal | null;
  /** May its subject be limited by more than the token says? Then only the hub can judge it. */
  outdated(token: Pick<Claims, 'tenantId' | 'subject' | 'limitsSeq'>): boolean;
  /** Number of the newest news about the limits of this subject; 0 = none that still matters. */
  limitsSeq(tenantId: TenantId, subject: string): number;
  /** Forgets what has ended, at most `limit` entries a call, so that the event loop is never held. True when more is due. */
  sweep(now: Instant, limit: number): boolean;
  /** Before everything live is applied again. */
  clear(): void;
  /**
   * Every live watermark, each id once, with its latest end. May be walked while changes are applied: what is new since `upTo` may be
   * missing, and stands there with no higher number than that.
   */
  live(now: Instant, upTo: number): Iterable<LiveMark>;
  readonly size: number;
  /** At its cap it cannot promise anything any more: no verdicts until it has shrunk. */
  readonly full: boolean;
}

/** Number of the newest watermark by id. */
type Numbers = Map<string, number>;
type TenantMarks = Record<WatermarkKind, Numbers | null>;

/** Entries that end in the same minute. Parallel arrays: a million objects would weigh more than what they say. */
interface Minute {
  readonly numbers: Numbers[];
  readonly keys: string[];
}

const MINUTE = 60_000;
const ENDED: Refusal = { reason: 'SESSION_ENDED', message: 'the session has ended' };
const REVOKED: Refusal = { reason: 'TOKEN_REVOKED', message: 'the token was revoked' };
const TENANT: Refusal = { reason: 'TENANT_SUSPENDED', message: 'the tenant is suspended, or ended all its sessions' };
const SUSPENDED: Refusal = { reason: 'SUBJECT_SUSPENDED', message: 'the subject was suspended' };
const RESTORED: Refusal = {
  reason: 'SESSION_ENDED',
  message: 'the installation was restored to an earlier state, which ended all sessions',
};

/** Under no tenant: a watermark of the whole installation, as `recover` writes it. */
const INSTALLATION: TenantId = '';

/** The key of limits that a whole tenant, or a role of it, has got: no user has that id. */
const EVERYBODY = '*';

/** Words in the detail of a user's change that mean more than "signed out everywhere". */
const SUSPENDING = ['suspended', 'locked', 'deleted', 'inactive', 'erased'];

export const createMirror = (capacity: number): Mirror => {
  const tenants = new Map<TenantId, TenantMarks>();
  const minutes = new Map<number, Minute>();
  /** Users whose newest watermark is a suspension. Few. */
  const suspended = new WeakMap<Numbers, Set<string>>();
  /** How often an id waits for its end, where that is more than once: it leaves with the last. */
  const waiting = new WeakMap<Numbers, Map<string, number>>();
  const owners = new WeakMap<Numbers, Pick<LiveMark, 'kind' | 'tenantId'>>();
  let size = 0;

  const numbersOf = (kind: WatermarkKind, tenantId: TenantId): Numbers => {
    let marks = tenants.get(tenantId);
    if (marks === undefined) {
      marks = { tenant: null, client: null, user: null, session: null, family: null, token: null, limits: null };
      tenants.set(tenantId, marks);
    }
    let numbers = marks[kind];
    if (numbers === null) {
      numbers = new Map();
      marks[kind] = numbers;
      owners.set(numbers, { kind, tenantId });
    }
    return numbers;
  };

  const noteDetail = (change: Watermark, numbers: Numbers): void => {
    const set = suspended.get(numbers);
    if (!SUSPENDING.includes(change.detail)) return void set?.delete(change.key);
    if (set === undefined) suspended.set(numbers, new Set([change.key]));
    else set.add(change.key);
  };

  const limitsSeq = (tenantId: TenantId, subject: string): number => {
    const limits = tenants.get(tenantId)?.limits ?? null;
    return limits === null ? 0 : Math.max(limits.get(EVERYBODY) ?? 0, limits.get(subject) ?? 0);
  };

  /** True when this was the last end that the id waits for. */
  const lastEnd = (numbers: Numbers, key: string): boolean => {
    const more = waiting.get(numbers);
    const count = more?.get(key);
    if (more === undefined || count === undefined) return true;
    if (count === 1) more.delete(key);
    else more.set(key, count - 1);
    return false;
  };

  const forget = (numbers: Numbers, key: string): void => {
    if (!lastEnd(numbers, key)) return;
    numbers.delete(key);
    suspended.get(numbers)?.delete(key);
    size--;
  };

  return {
    apply(change) {
      if (change.until === null) return;
      // A watermark that names nobody means everybody.
      const numbers = numbersOf(change.key === '' ? 'tenant' : change.kind, change.tenantId);
      const present = numbers.get(change.key);
      // Redis and the poll bring the same row: once is enough.
      if (present === change.seq) return;
      const endMinute = Math.ceil(change.until / MINUTE);
      let minute = minutes.get(endMinute);
      if (minute === undefined) {
        minute = { numbers: [], keys: [] };
        minutes.set(endMinute, minute);
      }
      minute.numbers.push(numbers);
      minute.keys.push(change.key);
      if (present === undefined) size++;
      else {
        const more = waiting.get(numbers) ?? new Map<string, number>();
        more.set(change.key, (more.get(change.key) ?? 0) + 1);
        waiting.set(numbers, more);
      }
      if (present !== undefined && present > change.seq) return;
      numbers.set(change.key, change.seq);
      if (change.kind === 'user' && change.key !== '') noteDetail(change, numbers);
    },

    refusal(token) {
      const { rsq } = token;
      const everywhere = tenants.get(INSTALLATION)?.tenant;
      if (everywhere && newest(everywhere) > rsq) return RESTORED;
      const marks = tenants.get(token.tenantId);
      if (marks === undefined) return null;
      if (marks.tenant !== null && newest(marks.tenant) > rsq) return TENANT;
      if (marks.user !== null && (marks.user.get(token.subject) ?? 0) > rsq)
        return suspended.get(marks.user)?.has(token.subject) ? SUSPENDED : REVOKED;
      if (marks.token !== null && (marks.token.get(token.tokenId) ?? 0) > rsq) return REVOKED;
      if (marks.token !== null && token.delegation && parentRevoked(marks.token, token.delegation.parents, rsq)) return REVOKED;
      if (marks.family !== null && (marks.family.get(token.familyId) ?? 0) > rsq) return REVOKED;
      if (marks.session !== null && (marks.session.get(token.sessionId) ?? 0) > rsq) return ENDED;
      if (marks.client !== null && (marks.client.get(token.clientId) ?? 0) > rsq) return REVOKED;
      if (marks.client !== null && token.delegation && parentRevoked(marks.client, token.delegation.clients, rsq)) return REVOKED;
      return null;
    },

    limitsSeq,
    outdated: (token) => limitsSeq(token.tenantId, token.subject) > token.limitsSeq,

    sweep(now, limit) {
      let left = limit;
      for (const [endMinute, minute] of minutes) {
        if (endMinute * MINUTE > now) continue;
        while (left > 0 && minute.keys.length > 0) {
          forget(minute.numbers.pop() as Numbers, minute.keys.pop() as string);
          left--;
        }
        if (minute.keys.length > 0) return true;
        minutes.delete(endMinute);
      }
      return false;
    },

    clear() {
      tenants.clear();
      minutes.clear();
      size = 0;
    },

    *live(now, upTo) {
      // The latest end first: an id that waits for several is told with that one.
      const ends = [...minutes.keys()].filter((end) => end * MINUTE > now).toSorted((a, b) => b - a);
      const told = new WeakMap<Numbers, Set<string>>();
      for (const end of ends) {
        const { numbers: marked, keys } = minutes.get(end) ?? { numbers: [], keys: [] };
        for (let at = 0; at < keys.length; at++) {
          const numbers = marked[at] as Numbers;
          const key = keys[at] as string;
          const seq = numbers.get(key);
          const owner = owners.get(numbers);
          if (seq === undefined || owner === undefined) continue;
          if (waiting.get(numbers)?.has(key)) {
            const before = told.get(numbers);
            if (before?.has(key)) continue;
            if (before === undefined) told.set(numbers, new Set([key]));
            else before.add(key);
          }
          const detail = suspended.get(numbers)?.has(key) ? 'suspended' : '';
          yield { ...owner, key, seq: Math.min(seq, upTo), until: end * MINUTE, detail };
        }
      }
    },

    get size() {
      return size;
    },
    get full() {
      return size >= capacity;
    },
  };
};

/** What was made from a revoked token, or from one of a client that was ended, is revoked with it. */
const parentRevoked = (numbers: Numbers, ids: readonly string[], rsq: number): boolean => ids.some((id) => (numbers.get(id) ?? 0) > rsq);

/** A tenant's own watermarks have one key or two, whatever a writer calls it: the tenant's id, or nothing. */
const newest = (numbers: Numbers): number => {
  let highest = 0;
  for (const seq of numbers.values()) if (seq > highest) highest = seq;
  return highest;
};
