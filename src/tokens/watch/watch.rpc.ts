// Window of those who watch: revocations and keys as streams, and the head of the feed.
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Call } from '../../base/call.ts';
import { durationOf, timestampOf } from '../../base/proto-time.ts';
import { type Millis, minutes, seconds } from '../../base/time.ts';
import {
  type GetChangeHeadResponse,
  type Heartbeat,
  RevocationEvents,
  RevocationsSnapshot,
  type TokenServiceService,
  type WatchKeysResponse,
  type WatchRevocationsResponse,
} from '../../gen/securityhub/v1/token.ts';
import type { Rows } from '../../server/rpc/define.ts';
import { jwkMessage } from '../keys/jwk.rpc.ts';
import type { ChangeHead, KeysMessage, RevocationsMessage, TokensDoor, WatchEncoding } from '../tokens.ts';

/** A protobuf Duration ends at 10,000 years; whoever never heard of anything is as old as that. */
const OLDEST: Millis = 315_576_000_000_000;

/** Repeated fields, so that parts put one after the other are a longer list: every watcher's message is made of the same bytes. */
export const watchEncoding: WatchEncoding = {
  revocation: ({ seq, kind, key, until, tenantId, detail }) =>
    RevocationEvents.encode({
      revocations: [{ seq, kind, key, until: until === null ? undefined : timestampOf(until), tenantId, detail }],
    }).finish(),
  block: ({ tenantId, kind, detail, keys, seqs, untils }) =>
    RevocationsSnapshot.encode({
      blocks: [{ tenantId, kind, detail, keys, seqs, untilSeconds: untils.map((until) => Math.ceil(until / 1000)) }],
      last: false,
    }).finish(),
};

const SNAPSHOT_FIELD = 2;
const EVENTS_FIELD = 3;
/** WatchRevocationsResponse with the parts as this message. */
const framed = (field: number, parts: readonly Uint8Array[]): Uint8Array =>
  new BinaryWriter()
    .uint32((field << 3) | 2)
    .bytes(Buffer.concat(parts))
    .finish();

const heartbeat = ({ seq, generation, staleness, serverTime }: ChangeHead): Heartbeat & GetChangeHeadResponse => ({
  seq,
  generation,
  staleness: durationOf(Math.min(staleness, OLDEST)),
  serverTime: timestampOf(serverTime),
});

const revocationsMessage = (told: RevocationsMessage): WatchRevocationsResponse | Uint8Array => {
  switch (told.kind) {
    case 'begin':
      return {
        message: {
          $case: 'begin',
          value: {
            generation: told.generation,
            resumed: told.resumed,
            tenantIds: [...told.tenantIds],
            heartbeatInterval: durationOf(told.heartbeat),
            longestTokenLife: durationOf(told.longestLife),
            issuer: told.issuer,
            audiences: [...told.audiences],
            anyAudience: told.anyAudience,
          },
        },
      };
    case 'snapshot':
      return told.last ? { message: { $case: 'snapshot', value: { blocks: [], last: true } } } : framed(SNAPSHOT_FIELD, told.parts);
    case 'events':
      return framed(EVENTS_FIELD, told.parts);
    case 'heartbeat':
      return { message: { $case: 'heartbeat', value: heartbeat(told) } };
  }
};

const keysMessage = (told: KeysMessage): WatchKeysResponse =>
  told.kind === 'heartbeat'
    ? { message: { $case: 'heartbeat', value: heartbeat(told) } }
    : { message: { $case: 'keys', value: { jwksJson: JSON.stringify(told.jwks), keys: told.jwks.keys.map(jwkMessage) } } };

async function* printed<T, S>(source: AsyncIterable<T>, print: (told: T) => S): AsyncGenerator<S> {
  for await (const told of source) yield print(told);
}

const watch = { access: 'known', audit: 'none', limit: 'stream', deadline: minutes(20), idempotency: 'safe' } as const;

export const watchRows = (
  tokens: TokensDoor,
): Pick<Rows<typeof TokenServiceService>, 'watchRevocations' | 'getChangeHead' | 'watchKeys'> => ({
  watchRevocations: {
    ...watch,
    stream: (request, call: Call) => printed(tokens.watchRevocations(request, call), revocationsMessage),
  },
  getChangeHead: {
    access: 'known',
    audit: 'none',
    limit: 'vital',
    deadline: seconds(5),
    idempotency: 'safe',
    handle: () => heartbeat(tokens.changeHead()),
  },
  watchKeys: { ...watch, stream: (_request, call: Call) => printed(tokens.watchKeys(call), keysMessage) },
});
