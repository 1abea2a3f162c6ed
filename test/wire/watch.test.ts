// A crowd that watches revocations on the built hub: one snapshot and one log for all, nobody waits for who stalls, and the drain ends them all.
import { connect as connectHttp2 } from 'node:http2';
import { Client, type ClientReadableStream, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WatchRevocationsRequest, WatchRevocationsResponse } from '../../src/gen/securityhub/v1/token.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { type FreshDatabase, freshDatabase, waitFor } from '../harness.ts';
import { report } from '../faults/caller.ts';
import { hubHome, type HubProcess, startHub } from '../hub-process.ts';

const LIVE = 150_000;
const CROWD = 200;
const BACKLOG = 10_000;
/** First byte of a message: its field. */
const [SNAPSHOT, EVENTS, HEARTBEAT] = [0x12, 0x1a, 0x22];

let database: FreshDatabase;
let hub: HubProcess;
const clients: Client[] = [];

/** Live revocations of the tenant, written as another replica would. */
const revoke = (from: number, count: number) =>
  database.sql(
    `WITH head AS (UPDATE change_head SET seq = seq + ${count} RETURNING seq - ${count} AS before)
     INSERT INTO change (seq, kind, tenant_id, key, until, detail)
     SELECT head.before + n, 'session', 'dev', 'ses_' || (${from} + n), now() + interval '1 hour', 'revoked' FROM head, generate_series(1, ${count}) n`,
  );

const connect = (): Client => {
  const client = new Client(hub.grpc, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  clients.push(client);
  return client;
};

const open = (client: Client): ClientReadableStream<Buffer> => {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${hub.bootstrap().access_token}`);
  const raw = (bytes: Buffer): Buffer => bytes;
  const request = Buffer.from(WatchRevocationsRequest.encode(WatchRevocationsRequest.fromPartial({})).finish());
  return client.makeServerStreamRequest('/securityhub.v1.TokenService/WatchRevocations', raw, raw, request, metadata);
};

/** Reads nothing of its answer: with the window that HTTP/2 begins with, what it does not read stays with the hub. */
const stall = (): { readonly resume: () => Promise<string> } => {
  const session = connectHttp2(`http://${hub.grpc}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/securityhub.v1.TokenService/WatchRevocations',
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${hub.bootstrap().access_token}`,
  });
  stream.end(Buffer.alloc(5));
  stream.pause();
  const ended = new Promise<string>((resolve) => {
    stream.on('trailers', (trailers) => {
      session.close();
      resolve(String(trailers['grpc-status']));
    });
  });
  return {
    resume: () => {
      stream.resume();
      return ended;
    },
  };
};

interface Member {
  readonly stream: ClientReadableStream<Buffer>;
  /** Bytes of the snapshot, and revocations told as they came. */
  snapshot: number;
  events: number;
  heartbeats: number;
  ended: { readonly code: string; readonly reason: string } | null;
}

const follow = (stream: ClientReadableStream<Buffer>, look?: (snapshot: Buffer) => void): Member => {
  const member: Member = { stream, snapshot: 0, events: 0, heartbeats: 0, ended: null };
  stream.on('data', (bytes: Buffer) => {
    if (bytes[0] === HEARTBEAT) member.heartbeats++;
    if (bytes[0] === SNAPSHOT) {
      member.snapshot += bytes.length;
      look?.(bytes);
    }
    if (bytes[0] !== EVENTS) return;
    const { message } = WatchRevocationsResponse.decode(bytes);
    if (message?.$case === 'events') member.events += message.value.revocations.length;
  });
  stream.on('error', (error) => {
    const { code, reason } = faultOf(error as ServiceError);
    member.ended = { code, reason };
  });
  return member;
};

const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(`${hub.http}/metrics`)).text();
  return Number(new RegExp(`^${name}{[^}]*} (\\S+)$`, 'm').exec(text)?.[1]);
};
const megabytes = async (): Promise<number> => (await metric('process_resident_memory_bytes')) / 1e6;

beforeAll(async () => {
  database = await freshDatabase();
  await revoke(0, LIVE);
  hub = await startHub({ ...hubHome().env, POSTGRES_URI: database.uri, WATCH_BACKLOG: String(BACKLOG) });
}, 60_000);
afterAll(async () => {
  for (const client of clients) client.close();
  await hub.stop();
  await database.close();
});

describe('a crowd that watches', () => {
  it('shares one snapshot and one log, is held up by nobody, and is told when the hub goes', async () => {
    const keys = new Set<string>();
    const first = follow(open(connect()), (bytes) => {
      const { message } = WatchRevocationsResponse.decode(bytes);
      if (message?.$case === 'snapshot') for (const block of message.value.blocks) for (const key of block.keys) keys.add(key);
    });
    await waitFor(() => first.heartbeats > 0, 20_000, 'the first watcher');
    expect(keys.size).toBe(LIVE);
    const size = (await metric('securityhub_watch_snapshot_bytes')) / 1e6;
    expect(size).toBeGreaterThan(0.5);
    const alone = await megabytes();

    // Two who read nothing at all: one already while it is given the snapshot.
    const stalled = [stall(), stall()];
    const crowd = Array.from({ length: 8 }, connect).flatMap((client) => Array.from({ length: CROWD / 8 }, () => follow(open(client))));
    await waitFor(() => crowd.every(({ heartbeats }) => heartbeats > 0), 60_000, 'the crowd');
    expect(crowd.every(({ snapshot }) => snapshot === first.snapshot)).toBe(true);
    expect(await metric('securityhub_watchers')).toBe(CROWD + 3);
    expect((await metric('securityhub_watch_snapshot_bytes')) / 1e6).toBeCloseTo(size, 1);
    const crowded = await megabytes();

    let told = 0;
    for (let round = 0; round < 8; round++) {
      await revoke(LIVE + told, 2000);
      told += 2000;
      await waitFor(() => crowd.every(({ events }) => events >= told), 20_000, `revocation ${told}`);
    }
    expect(crowd.every(({ events, ended }) => events === told && ended === null)).toBe(true);
    const after = await megabytes();
    report(
      `one watcher ${alone.toFixed(0)} MB, ${CROWD} with a snapshot of ${size.toFixed(1)} MB ${crowded.toFixed(0)} MB, after ${told} more ${after.toFixed(0)} MB`,
    );
    // A snapshot each, or what is sent queued for each, would be this many times its size.
    for (const measured of [crowded, after]) expect(measured - alone).toBeLessThan((CROWD * size) / 2);

    expect(await Promise.all(stalled.map((one) => one.resume()))).toEqual(stalled.map(() => String(status.ABORTED)));

    expect(await hub.stop()).toBe(0);
    await waitFor(() => crowd.every(({ ended }) => ended !== null), 10_000, 'the end');
    expect(new Set(crowd.map(({ ended }) => `${ended?.code} ${ended?.reason}`))).toEqual(new Set(['UNAVAILABLE DRAINING']));
  }, 180_000);
});
