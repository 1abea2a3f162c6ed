// Where sessions are used from and how often, in bounded memory of this replica: what is strange about a use. Pure; time is an argument.
import { networkOfAddress } from '../base/address.ts';
import { boundedMap } from '../base/bounded.ts';
import { hours, type Instant, type Millis, minutes } from '../base/time.ts';

export type Strange = 'address' | 'device';

/** A place a session was used at; '' = not told. */
export interface Place {
  readonly address: string;
  readonly deviceId: string;
}

export interface SessionWatch {
  /** Is there nothing to say about this place? Changes nothing. */
  isUsual(sessionId: string, place: Place, now: Instant): boolean;
  /**
   * Remembers the place. What is strange about it, and whether that is new: another network or another device than all that the session
   * was usually used from. The first place is usual. `forgives`: a strange place becomes usual after a while; else never.
   */
  see(sessionId: string, place: Place, now: Instant, forgives: boolean): { readonly strange: Strange; readonly first: boolean } | null;
  /** Counts a use; true where it is one too many: a whole minute's at once, then evenly (GCRA). One too many does not count. */
  exceeds(sessionId: string, perMinute: number, now: Instant): boolean;
  readonly size: number;
}

interface Seen extends Place {
  readonly network: string;
  strange: Strange | null;
  readonly since: Instant;
}

interface Track {
  seen: readonly Seen[];
  /** When the next use would be due, were uses spread evenly. */
  due: Instant;
}

/** Places remembered of a session. */
const PLACES = 8;
const KEPT: Millis = hours(24);
const MINUTE: Millis = minutes(1);

/** `lasting`: how long a strange place stays strange where it is forgiven. */
export const createSessionWatch = (capacity: number, lasting: Millis): SessionWatch => {
  const tracks = boundedMap<string, Track>(capacity);

  const trackOf = (sessionId: string, now: Instant): Track => {
    const known = tracks.get(sessionId, now);
    if (known !== undefined) return known;
    const fresh: Track = { seen: [], due: 0 };
    tracks.set(sessionId, fresh, now + KEPT);
    return fresh;
  };
  const find = ({ seen }: Track, { address, deviceId }: Place): Seen | undefined =>
    seen.find((one) => one.address === address && one.deviceId === deviceId);

  const compare = (usual: readonly Seen[], network: string, deviceId: string): Strange | null => {
    const other = (told: string, of: (one: Seen) => string): boolean =>
      told !== '' && usual.some((one) => of(one) !== '') && usual.every((one) => of(one) !== told);
    if (other(deviceId, (one) => one.deviceId)) return 'device';
    return other(network, (one) => one.network) ? 'address' : null;
  };

  return {
    isUsual(sessionId, place, now) {
      const track = tracks.get(sessionId, now);
      const seen = track === undefined ? undefined : find(track, place);
      return seen !== undefined && seen.strange === null;
    },
    see(sessionId, place, now, forgives) {
      const track = trackOf(sessionId, now);
      if (forgives) for (const one of track.seen) if (one.strange !== null && now - one.since >= lasting) one.strange = null;
      const known = find(track, place);
      if (known !== undefined) return known.strange === null ? null : { strange: known.strange, first: false };
      const network = place.address === '' ? '' : networkOfAddress(place.address);
      const usual = track.seen.filter((one) => one.strange === null);
      const strange = compare(usual, network, place.deviceId);
      // The first place is never forgotten: it is what the others are compared with.
      const kept = track.seen.length < PLACES ? track.seen : [...track.seen.slice(0, 1), ...track.seen.slice(2)];
      track.seen = [...kept, { ...place, network, strange, since: now }];
      return strange === null ? null : { strange, first: true };
    },
    exceeds(sessionId, perMinute, now) {
      const track = trackOf(sessionId, now);
      const interval = MINUTE / perMinute;
      const due = Math.max(track.due, now);
      if (due - now > MINUTE - interval) return true;
      track.due = due + interval;
      return false;
    },
    get size() {
      return tracks.size;
    },
  };
};
