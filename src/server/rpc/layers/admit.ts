// Is there room for this call now? Under lag and at the in-flight cap the least needed classes are refused first, vital ones never.
import { subjectOf } from '../../../base/caller.ts';
import { Fault } from '../../../base/fault.ts';
import type { LimitClass } from '../define.ts';
import { isPromise } from '../../../base/maybe.ts';
import type { LiveCall } from '../live-call.ts';
import type { Layer, OnionPorts, Step } from '../onion.ts';

/**
 * The part of the cap that a class may find taken and still be let in, so that a pile of slow calls
 * (a stalled store) leaves room for the verdicts, which need no store.
 */
const SHARE: Readonly<Record<Exclude<LimitClass, 'vital' | 'stream'>, number>> = {
  verdict: 1,
  check: 0.95,
  crypto: 0.7,
  login: 0.6,
  manage: 0.6,
  batch: 0.5,
  issue: 0.4,
};

export interface Caps {
  /** Unary calls that wait for something at the same time. A call answered at once never counts. */
  readonly inFlight: number;
  /** Streams open at the same time. */
  readonly streams: number;
  /** Those of one caller; of strangers, those from one address. */
  readonly streamsPerCaller: number;
}

/** How many are under way; read by metrics and by the drain. */
export interface Load {
  unary: number;
  streams: number;
}

const full = (): Fault =>
  new Fault('RESOURCE_EXHAUSTED', 'TOO_MANY_IN_FLIGHT', 'too many calls are under way here: try again soon', { retryAfter: 250 });
const busy = (): Fault =>
  new Fault('RESOURCE_EXHAUSTED', 'OVERLOADED', 'this replica is overloaded and keeps its time for more urgent calls', {
    retryAfter: 1000,
  });

const tooMany = (): Fault =>
  new Fault('RESOURCE_EXHAUSTED', 'TOO_MANY_STREAMS', 'this caller has as many streams open here as it may have', { retryAfter: 1000 });

const nameOf = ({ caller, peer }: LiveCall): string => {
  if (caller.kind === 'anonymous') return `anonymous ${peer.address}`;
  return `${caller.tenantId} ${subjectOf(caller).type} ${subjectOf(caller).id}`;
};

/** Counts the streams of each caller; takes one more, and answers how to give it back. */
const shares = (most: number): ((call: LiveCall) => () => void) => {
  const open = new Map<string, number>();
  return (call) => {
    const name = nameOf(call);
    const count = open.get(name) ?? 0;
    if (count >= most) throw tooMany();
    open.set(name, count + 1);
    return () => {
      const left = (open.get(name) ?? 1) - 1;
      if (left === 0) open.delete(name);
      else open.set(name, left);
    };
  };
};

export const admit = (ports: Pick<OnionPorts, 'shed'>, caps: Caps, load: Load): Layer => {
  const share = shares(caps.streamsPerCaller);
  // Apart: whoever watches health finds room however many streams others hold, and takes none of theirs.
  const shareVital = shares(caps.streamsPerCaller);
  const vital: Load = { unary: 0, streams: 0 };
  return {
    name: 'admit',
    // Inside deadline: a call whose deadline has passed takes no room. Inside authenticate: who is refused is known to the audit log.
    after: ['deadline', 'authenticate'],
    wrap(route, inner) {
      const { limit } = route.row;
      const kind = route.type === 'unary' || route.type === 'client_stream' ? 'unary' : 'streams';
      const cap =
        kind === 'streams'
          ? caps.streams
          : limit === 'vital'
            ? Number.POSITIVE_INFINITY
            : Math.max(1, Math.floor(caps.inFlight * (limit === 'stream' ? 1 : SHARE[limit])));
      const counted = limit === 'vital' && kind === 'streams' ? vital : load;
      const release = (): void => {
        counted[kind]--;
      };

      const admitted: Step = (call) => {
        if (limit !== 'vital' && ports.shed(limit)) throw busy();
        if (counted[kind] >= cap) throw full();
        const answer = inner(call);
        if (!isPromise(answer)) return answer;
        counted[kind]++;
        // Freed when the work ends, not when the caller stops waiting: the cap bounds work.
        answer.then(release, release);
        return answer;
      };
      if (kind === 'unary') return admitted;

      return async (call) => {
        const giveBack = limit === 'vital' ? shareVital(call) : share(call);
        try {
          return await admitted(call);
        } finally {
          giveBack();
        }
      };
    },
  };
};
