// The onion: every method, unary or streaming, over gRPC or HTTP, goes through the same layers, composed once at start.
import type { Call, MaybePromise } from '../../base/call.ts';
import type { Caller } from '../../base/caller.ts';
import type { FieldViolation } from '../../base/fault.ts';
import type { Random } from '../../base/random.ts';
import type { Clock } from '../../base/time.ts';
import type { Log, Metrics, Recorder } from '../platform.ts';
import type { Pay } from './budgets.ts';
import type { LimitClass } from './define.ts';
import type { LiveCall, Route } from './live-call.ts';

/** One step of a call. The answer's bytes; empty where the answers went to the call's sink. */
export type Step = (call: LiveCall) => MaybePromise<Buffer>;

export interface Layer {
  readonly name: string;
  /** Layers that must stand outside this one, or its promise does not hold. */
  readonly after: readonly string[];
  readonly wrap: (route: Route, inner: Step) => Step;
}

/** What a call shows of its caller; `dpop` and `target` are read only for a token that is bound to a DPoP key. */
export interface Presented extends Pick<Call, 'peer' | 'now' | 'requestId' | 'dpop' | 'target'> {
  /** The whole header, '' where there is none. */
  readonly authorization: string;
}

/** What the composition root gives. Each may answer at once; then the whole call makes no promise. */
export interface OnionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly recorder: Pick<Recorder, 'required' | 'refused' | 'sampled'>;
  /** Throws UNAUTHENTICATED with the reason when what is presented is not good, UNAVAILABLE when it cannot be known. */
  readonly authenticate: (presented: Presented) => MaybePromise<Caller>;
  /** Does the caller hold the permission now? */
  readonly holds: (caller: Caller, permission: string) => MaybePromise<boolean>;
  /** The bounds of the proto. `path` as in `Method.path`. */
  readonly validate: (path: string, request: unknown, bytes: Uint8Array) => readonly FieldViolation[];
  /** Takes from the caller's own budget; RESOURCE_EXHAUSTED when it is empty. */
  readonly pay: Pay;
  /** Is this class of calls to be refused for the moment? */
  readonly shed: (limit: LimitClass) => boolean;
}

/** Throws where a layer stands before one it relies on: found at start, never by a caller. */
export const checkOrder = (layers: readonly Layer[]): void => {
  const seen = new Set<string>();
  for (const layer of layers) {
    const missing = layer.after.filter((name) => !seen.has(name));
    if (missing.length > 0) throw new Error(`layer ${layer.name} must stand inside ${missing.join(', ')}`);
    seen.add(layer.name);
  }
};

/** The first layer is the outermost. */
export const compose = (layers: readonly Layer[], route: Route, core: Step): Step =>
  layers.reduceRight((inner, layer) => layer.wrap(route, inner), core);
