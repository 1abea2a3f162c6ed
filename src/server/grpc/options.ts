// What our gRPC server asks of grpc-js, and what grpc-js has no option for. The benchmark's bare echo runs with the same.
import type { Server, ServerOptions } from '@grpc/grpc-js';
import { kib, mib } from '../../base/bytes.ts';
import { minutes, seconds } from '../../base/time.ts';
import { LARGEST_REQUEST } from '../rpc/packed.ts';

/**
 * `near`: over loopback or a Unix socket, many services behind one connection (a sidecar, an agent).
 * `far`: over the network.
 */
export type Distance = 'near' | 'far';

const COMMON: ServerOptions = {
  'grpc.enable_channelz': 0,
  'grpc.keepalive_time_ms': minutes(1),
  'grpc.keepalive_timeout_ms': seconds(10),
  'grpc.max_receive_message_length': LARGEST_REQUEST,
  'grpc.max_send_message_length': mib(8),
  // grpc-js switches Node's guard off; without it header blocks can pile up in memory (CVE-2026-56846). Megabytes.
  'grpc-node.max_session_memory': 64,
};

const BY_DISTANCE: Readonly<Record<Distance, ServerOptions>> = {
  near: { 'grpc.max_concurrent_streams': 4000 },
  far: {
    'grpc.max_concurrent_streams': 1000,
    'grpc.max_connection_idle_ms': minutes(15),
    // Callers reconnect, and so spread over new replicas and show their certificates again.
    'grpc.max_connection_age_ms': minutes(15),
    'grpc.max_connection_age_grace_ms': seconds(30),
  },
};

export const serverOptions = (distance: Distance): ServerOptions => ({ ...COMMON, ...BY_DISTANCE[distance] });

/**
 * Stream resets a connection may send at once, and a second after that. Each call that a caller gives up on is one;
 * Node's own limit (1000, 33) lets one impatient service kill a connection that others share.
 */
const RESETS: Readonly<Record<Distance, { readonly streamResetBurst: number; readonly streamResetRate: number }>> = {
  near: { streamResetBurst: 100_000, streamResetRate: 10_000 },
  far: { streamResetBurst: 5000, streamResetRate: 500 },
};

/** Bytes of headers a caller may send, and how many of them: a credential of 8 KiB and a handful of others. */
const HEADERS = { maxHeaderListSize: kib(16), maxHeaderListPairs: 96 } as const;

interface Http2Options {
  settings?: Record<string, number>;
  [name: string]: unknown;
}

/**
 * Sets what grpc-js 1.14 hands to `node:http2` without an option of its own. Throws where its inside has changed,
 * so that an upgrade cannot drop a limit in silence.
 */
export const limitHttp2 = (server: Server, distance: Distance): void => {
  const { commonServerOptions } = server as unknown as { readonly commonServerOptions?: Http2Options };
  if (commonServerOptions === undefined) throw new Error('grpc-js no longer keeps its HTTP/2 options in commonServerOptions');
  Object.assign(commonServerOptions, RESETS[distance], { maxHeaderListPairs: HEADERS.maxHeaderListPairs });
  commonServerOptions.settings = { ...commonServerOptions.settings, maxHeaderListSize: HEADERS.maxHeaderListSize };
};
