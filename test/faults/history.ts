// What clients were told, in order of one clock, and what of it must never be: the rules of design by which a recorded history is judged.

/** Milliseconds of one monotonic clock. */
type Moment = number;

/** A token as its claims name it. */
export interface Token {
  /** `<family>.<generation>` */
  readonly tokenId: string;
  readonly familyId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly generation: number;
  /** The head that its issuer had read. */
  readonly rsq: number;
}

export interface Issued extends Token {
  readonly refreshToken: string;
}

interface Asked {
  readonly replica: number;
  readonly begin: Moment;
  readonly end: Moment;
}

export interface Login extends Asked {
  readonly kind: 'login';
  /** null: not told. */
  readonly issued: Issued | null;
  /** Of a refusal; everybody here knows the password. */
  readonly reason: string;
}

export interface Refresh extends Asked {
  readonly kind: 'refresh';
  /** Which pair's refresh token was presented. */
  readonly presented: Issued;
  readonly issued: Issued | null;
  /** Of a refusal; '' where there was neither a pair nor a refusal: nothing is known. */
  readonly reason: string;
}

export interface Validate extends Asked {
  readonly kind: 'validate';
  readonly token: Token;
  /** null: UNAVAILABLE or no answer, which is no verdict. */
  readonly verdict: 'valid' | 'invalid' | null;
  readonly reason: string;
  readonly staleness: number;
  /** As asked for; 0 = not asked. */
  readonly maxStaleness: number;
  readonly degraded: boolean;
}

export interface Revoke extends Asked {
  readonly kind: 'revoke';
  readonly scope: 'token' | 'session' | 'user';
  /** What of this token is to end. */
  readonly token: Token;
  /** 0 and Infinity where it was not acknowledged. */
  readonly seq: number;
  readonly effectiveBy: Moment;
}

/** A replica had no way to a store. */
export interface Away extends Asked {
  readonly kind: 'away';
  readonly store: 'postgres' | 'redis';
}

/** The database forgot what it had acknowledged of a family: a failover that lost commits. */
export interface Lost extends Asked {
  readonly kind: 'lost';
  readonly familyId: string;
}

export type Entry = Login | Refresh | Validate | Revoke | Away | Lost;

export interface Bounds {
  /** FEED_CEILING_SECONDS in milliseconds. */
  readonly ceiling: number;
  /** From a revocation that names no moment itself (theft) until every connected replica refuses. */
  readonly propagation: number;
  /** How long after its store is back a replica may take to count as connected: what hung must time out first. */
  readonly settling: number;
}

export type Rule =
  | 'valid after its end was known'
  | 'valid later than promised'
  | 'valid again'
  | 'staler than allowed'
  | 'refused without a cause'
  | 'two successors'
  | 'two of one generation'
  | 'refreshed after its end'
  | 'changed without the database';

export interface Violation {
  readonly rule: Rule;
  readonly entry: Entry;
  /** What it contradicts. */
  readonly by: Entry | null;
}

const DEGRADED = 10_000;
/** Lengths travel in whole milliseconds. */
const ROUNDING = 5;
const REVOKED = ['TOKEN_REVOKED', 'SESSION_ENDED'];

/** Something that ends tokens: `at` its acknowledgement, Infinity where nobody was told. */
interface End {
  readonly by: Revoke | Refresh;
  readonly at: Moment;
  readonly effectiveBy: Moment;
}

const grouped = <T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> => Map.groupBy(items, keyOf);

const acknowledged = (revoke: Revoke): boolean => revoke.seq > 0;
const isTheft = (refresh: Refresh): boolean => refresh.reason === 'REFRESH_TOKEN_REUSED';

const targetOf = ({ scope, token }: Revoke): string =>
  scope === 'token' ? `token ${token.tokenId}` : scope === 'session' ? `session ${token.sessionId}` : `user ${token.userId}`;

const endsBy = (revokes: readonly Revoke[], refreshes: readonly Refresh[], propagation: number): ReadonlyMap<string, readonly End[]> => {
  const revoked = revokes.map((by) => ({
    key: targetOf(by),
    end: { by, at: acknowledged(by) ? by.end : Number.POSITIVE_INFINITY, effectiveBy: by.effectiveBy },
  }));
  // Nothing known of a refresh: it may have ended the family.
  const thefts = refreshes
    .filter((by) => isTheft(by) || (by.issued === null && by.reason === ''))
    .map((by) => {
      const at = isTheft(by) ? by.end : Number.POSITIVE_INFINITY;
      return { key: `family ${by.presented.familyId}`, end: { by, at, effectiveBy: at + propagation } };
    });
  const all = [...revoked, ...thefts];
  return new Map([...grouped(all, ({ key }) => key)].map(([key, some]) => [key, some.map(({ end }) => end)]));
};

/** Logins that saw the user's end are none of its business. */
const reaches = (end: End, rsq: number): boolean =>
  end.by.kind !== 'revoke' || end.by.scope !== 'user' || !acknowledged(end.by) || rsq < end.by.seq;

const earliest = (ends: readonly End[]): End | undefined => ends.toSorted((a, b) => a.at - b.at)[0];

interface Known {
  readonly bounds: Bounds;
  readonly away: readonly Away[];
  /** What may have ended this token. */
  endsOfToken(token: Token): readonly End[];
  /** What may have ended its refresh tokens. */
  endsOfFamily(token: Token): readonly End[];
}

/** Has the replica had its Postgres long enough, from then until now? */
const connected = ({ away, bounds }: Known, replica: number, from: Moment, to: Moment): boolean =>
  !away.some((one) => one.replica === replica && one.store === 'postgres' && one.begin < to && one.end + bounds.settling > from);

const judgeValid = (known: Known, entry: Validate): readonly Violation[] => {
  const { ceiling } = known.bounds;
  const found: Violation[] = [];
  const { staleness, maxStaleness, degraded } = entry;
  const contradicts = degraded !== staleness >= DEGRADED && Math.abs(staleness - DEGRADED) > ROUNDING;
  if (staleness > ceiling || (maxStaleness > 0 && staleness > maxStaleness + ROUNDING) || contradicts)
    found.push({ rule: 'staler than allowed', entry, by: null });
  const ends = known.endsOfToken(entry.token);
  const first = earliest(ends);
  // It says how old its knowledge is: whatever was acknowledged before then it must know.
  if (first !== undefined && entry.begin - staleness - ROUNDING > first.at)
    found.push({ rule: 'valid after its end was known', entry, by: first.by });
  const late = ends.find(
    (end) =>
      entry.begin > end.at + ceiling ||
      (entry.begin > Math.max(end.at, end.effectiveBy) + ROUNDING && connected(known, entry.replica, end.at, entry.begin)),
  );
  if (late !== undefined) found.push({ rule: 'valid later than promised', entry, by: late.by });
  return found;
};

const judgeInvalid = (known: Known, entry: Validate): readonly Violation[] => {
  if (entry.reason === 'TOKEN_EXPIRED') return [];
  const possible = REVOKED.includes(entry.reason) && known.endsOfToken(entry.token).some(({ by }) => by.begin < entry.end);
  return possible ? [] : [{ rule: 'refused without a cause', entry, by: null }];
};

/** Whoever has once refused a token as revoked says so for good; the others from the moment they say they know it. */
const judgeAgain = (verdicts: readonly Validate[]): readonly Violation[] => {
  const refused = verdicts.filter(({ verdict, reason }) => verdict === 'invalid' && REVOKED.includes(reason));
  const first = refused.toSorted((a, b) => a.end - b.end)[0];
  if (first === undefined) return [];
  return verdicts
    .filter(({ verdict }) => verdict === 'valid')
    .flatMap((entry) => {
      const own = refused.find((one) => one.replica === entry.replica && one.end < entry.begin);
      const by = own ?? (entry.begin - entry.staleness - ROUNDING > first.end ? first : undefined);
      return by === undefined ? [] : [{ rule: 'valid again' as const, entry, by }];
    });
};

const judgeRefreshes = (known: Known, refreshes: readonly Refresh[], lost: readonly Lost[]): readonly Violation[] => {
  const found: Violation[] = [];
  const granted = refreshes.filter((entry) => entry.issued !== null);
  for (const entry of granted) {
    const end = known.endsOfFamily(entry.presented).find(({ at }) => entry.begin > at);
    if (end !== undefined) found.push({ rule: 'refreshed after its end', entry, by: end.by });
  }
  const forgotten = (a: Refresh, b: Refresh): boolean =>
    lost.some((one) => one.familyId === a.presented.familyId && Math.min(a.begin, b.begin) < one.end && one.begin < Math.max(a.end, b.end));
  for (const some of grouped(granted, ({ presented }) => presented.refreshToken).values()) {
    const by = some[0] as Refresh;
    const same = (entry: Refresh): boolean =>
      entry.issued?.refreshToken === by.issued?.refreshToken && entry.issued?.tokenId === by.issued?.tokenId;
    for (const entry of some) if (!same(entry) && !forgotten(entry, by)) found.push({ rule: 'two successors', entry, by });
  }
  for (const some of grouped(granted, ({ presented }) => presented.tokenId).values()) {
    const by = some[0] as Refresh;
    const entry = some.find(({ presented }) => presented.refreshToken !== by.presented.refreshToken);
    if (entry !== undefined) found.push({ rule: 'two of one generation', entry, by });
  }
  return found;
};

const judgeLogins = (logins: readonly Login[]): readonly Violation[] =>
  logins.filter(({ reason }) => reason !== '').map((entry) => ({ rule: 'refused without a cause', entry, by: null }));

/** The first use of the newest token of a family that nobody has touched. */
const judgeRefused = (known: Known, refreshes: readonly Refresh[], lost: readonly Lost[]): readonly Violation[] =>
  refreshes
    .filter(({ issued, reason }) => issued === null && reason !== '')
    .filter(
      (entry) =>
        !known.endsOfFamily(entry.presented).some(({ by }) => by !== entry && by.begin < entry.end) &&
        !lost.some(({ familyId, begin }) => familyId === entry.presented.familyId && begin < entry.end) &&
        !refreshes.some(
          (one) =>
            one !== entry &&
            one.presented.familyId === entry.presented.familyId &&
            one.presented.generation >= entry.presented.generation &&
            one.begin < entry.end,
        ),
    )
    .map((entry) => ({ rule: 'refused without a cause', entry, by: null }));

/** Whatever must survive was acknowledged by a replica that could not reach the database from before the question until after the answer. */
const judgeChanges = (away: readonly Away[], changes: readonly (Login | Refresh | Revoke)[]): readonly Violation[] =>
  changes.flatMap((entry) => {
    const done = entry.kind === 'revoke' ? acknowledged(entry) : entry.issued !== null;
    const by = away.find(
      (one) => one.store === 'postgres' && one.replica === entry.replica && one.begin < entry.begin && entry.end < one.end,
    );
    return done && by !== undefined ? [{ rule: 'changed without the database' as const, entry, by }] : [];
  });

/** Every contradiction in the history; none where the hub kept its word. */
export const check = (history: readonly Entry[], bounds: Bounds): readonly Violation[] => {
  const of = <K extends Entry['kind']>(kind: K) => history.filter((entry): entry is Extract<Entry, { kind: K }> => entry.kind === kind);
  const [logins, refreshes, verdicts, revokes, away, lost] = [
    of('login'),
    of('refresh'),
    of('validate'),
    of('revoke'),
    of('away'),
    of('lost'),
  ];
  const ends = endsBy(revokes, refreshes, bounds.propagation);
  const births = new Map(logins.flatMap(({ issued }) => (issued === null ? [] : [[issued.familyId, issued.rsq]])));
  const families = ({ familyId, sessionId, userId }: Token, rsq: number): readonly End[] =>
    [`family ${familyId}`, `session ${sessionId}`, `user ${userId}`]
      .flatMap((key) => ends.get(key) ?? [])
      .filter((end) => reaches(end, rsq));
  const known: Known = {
    bounds,
    away,
    endsOfToken: (token) => [...(ends.get(`token ${token.tokenId}`) ?? []), ...families(token, token.rsq)],
    endsOfFamily: (token) => families(token, births.get(token.familyId) ?? token.rsq),
  };
  const byFamily = grouped(refreshes, ({ presented }) => presented.familyId);
  return [
    ...verdicts.flatMap((entry) =>
      entry.verdict === 'valid' ? judgeValid(known, entry) : entry.verdict === null ? [] : judgeInvalid(known, entry),
    ),
    ...[...grouped(verdicts, ({ token }) => token.tokenId).values()].flatMap(judgeAgain),
    ...[...byFamily.values()].flatMap((some) => [...judgeRefreshes(known, some, lost), ...judgeRefused(known, some, lost)]),
    ...judgeLogins(logins),
    ...judgeChanges(away, [...logins, ...refreshes, ...revokes]),
  ];
};
