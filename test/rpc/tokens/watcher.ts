// A watcher of revocations as a client would write it: its own mirror, filled from the bytes of the stream.
import type { Call } from '../../../src/base/call.ts';
import type { Caller } from '../../../src/base/caller.ts';
import {
  type Heartbeat,
  type RevocationsBegin,
  WatchRevocationsRequest,
  WatchRevocationsResponse,
} from '../../../src/gen/securityhub/v1/token.ts';
import { encode } from '../../../src/server/rpc/decode.ts';
import type { Method, StreamRow } from '../../../src/server/rpc/define.ts';
import { createMirror, isWatermarkKind, type Mirror } from '../../../src/tokens/mirror.ts';
import { tokenService } from '../../../src/tokens/tokens.rpc.ts';
import type { TokensDoor } from '../../../src/tokens/tokens.ts';
import { callAs } from '../../callers.ts';

export interface WatcherClient {
  readonly mirror: Mirror;
  readonly begin: RevocationsBegin | undefined;
  readonly heartbeats: readonly Heartbeat[];
  /** The snapshot, if one came, is whole. */
  readonly loaded: boolean;
  readonly revokedKeys: ReadonlyMap<string, number>;
  /** Tenant, kind and key of every revocation told, each once. */
  readonly told: readonly string[];
  /** Everything up to this number was told. */
  readonly seq: number;
  /** How it ended; undefined while it runs. */
  readonly ended: unknown;
  readonly done: Promise<void>;
  /** Reads no further until it is released. */
  stall(): () => void;
  leave(): void;
}

export const streamRow = (door: TokensDoor, name: string): { readonly method: Method; readonly row: StreamRow<unknown, unknown> } => {
  const found = tokenService(door).methods.find(({ method }) => method.path.endsWith(`/${name}`));
  if (found === undefined) throw new Error(`no ${name}`);
  return { method: found.method, row: found.row as StreamRow<unknown, unknown> };
};

/** A call that ends when it is told to. */
export const endingCall = (caller: Caller, over: Partial<Call> = {}): { readonly call: Call; end(): void } => {
  const controller = new AbortController();
  return { call: callAs(caller, { signal: controller.signal, ...over }), end: () => controller.abort(new Error('left')) };
};

export const watchAs = (
  door: TokensDoor,
  caller: Caller,
  wanted: Partial<WatchRevocationsRequest> = {},
  over: Partial<Call> = {},
): WatcherClient => {
  const { method, row } = streamRow(door, 'WatchRevocations');
  const { call, end } = endingCall(caller, over);
  const mirror = createMirror(10_000_000);
  const revokedKeys = new Map<string, number>();
  const told: string[] = [];
  const heartbeats: Heartbeat[] = [];
  let gate = Promise.resolve();
  const state = { begin: undefined as RevocationsBegin | undefined, loaded: false, seq: 0, ended: undefined as unknown };

  const apply = (kind: string, tenantId: string, key: string, seq: number, until: number, detail: string): void => {
    const name = `${tenantId}/${kind}/${key}`;
    // What is newer than the snapshot may be told again.
    if (!told.includes(name)) told.push(name);
    if (kind === 'signing_key') revokedKeys.set(key, until);
    else if (isWatermarkKind(kind)) mirror.apply({ kind, tenantId, key, seq, until, detail });
    else throw new Error(`unknown kind ${kind}`);
  };
  const take = ({ message }: WatchRevocationsResponse): void => {
    switch (message?.$case) {
      case 'begin':
        state.begin = message.value;
        break;
      case 'snapshot':
        for (const { kind, tenantId, detail, keys, seqs, untilSeconds } of message.value.blocks)
          for (const [at, key] of keys.entries()) apply(kind, tenantId, key, seqs[at] ?? 0, (untilSeconds[at] ?? 0) * 1000, detail);
        if (message.value.last) state.loaded = true;
        break;
      case 'events':
        for (const { kind, tenantId, key, seq, until, detail } of message.value.revocations)
          apply(kind, tenantId, key, seq, (until?.seconds ?? 0) * 1000 + (until?.nanos ?? 0) / 1e6, detail);
        break;
      case 'heartbeat':
        heartbeats.push(message.value);
        state.seq = message.value.seq;
        break;
      default:
        throw new Error('an unknown message');
    }
  };

  const run = async (): Promise<void> => {
    try {
      for await (const answer of row.stream(WatchRevocationsRequest.fromPartial(wanted), call)) {
        take(WatchRevocationsResponse.decode(encode(method, answer)));
        await gate;
      }
    } catch (thrown) {
      state.ended = thrown;
    }
  };
  const done = run();

  return {
    mirror,
    told,
    revokedKeys,
    heartbeats,
    done,
    get begin() {
      return state.begin;
    },
    get loaded() {
      return state.loaded;
    },
    get seq() {
      return state.seq;
    },
    get ended() {
      return state.ended;
    },
    stall() {
      let release = (): void => {};
      gate = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    leave: end,
  };
};
