import { status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { HealthCheckRequest, HealthCheckResponse, HealthListResponse } from '../../src/gen/grpc/health/v1/health.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { connect, failed, infoBytes, startToy, until, waitBytes } from './grpc-toy.ts';

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

const asking = (name: string): Buffer => Buffer.from(HealthCheckRequest.encode({ service: name }).finish());

const started = async () => {
  const toy = await startToy();
  const client = connect(`127.0.0.1:${toy.port}`);
  const check = async (name: string): Promise<number> =>
    HealthCheckResponse.decode((await client.unary('/grpc.health.v1.Health/Check', asking(name))).bytes).status;
  const watch = (name: string) => {
    const told: number[] = [];
    const stream = client.serverStream('/grpc.health.v1.Health/Watch', asking(name));
    stream.on('data', (bytes: Buffer) => told.push(HealthCheckResponse.decode(bytes).status));
    const ended = new Promise<{ code: number }>((resolve) => stream.on('error', resolve).on('end', () => resolve({ code: 0 })));
    return { told, ended, stream };
  };
  return { toy, client, check, watch };
};

describe('health', () => {
  it('is NOT_SERVING until ready, but alive; then SERVING for each service', async () => {
    const { toy, client, check } = await started();
    expect(await Promise.all(['', 'toy.v1.Toy', 'readiness', 'liveness'].map(check))).toEqual([
      NOT_SERVING,
      NOT_SERVING,
      NOT_SERVING,
      SERVING,
    ]);
    toy.health.setReady(true);
    expect(await Promise.all(['', 'toy.v1.Toy', 'readiness', 'liveness'].map(check))).toEqual([SERVING, SERVING, SERVING, SERVING]);
    const { bytes } = await client.unary('/grpc.health.v1.Health/List', Buffer.alloc(0));
    expect(Object.keys(HealthListResponse.decode(bytes).statuses).sort()).toEqual(['', 'liveness', 'readiness', 'toy.v1.Toy']);
    client.close();
    await toy.stop();
  });

  it('does not know other services: NOT_FOUND to Check, SERVICE_UNKNOWN to Watch', async () => {
    const { toy, client, check, watch } = await started();
    expect((await failed(check('other.v1.Other'))).code).toBe(status.NOT_FOUND);
    const watched = watch('other.v1.Other');
    await until(() => watched.told.length === 1);
    expect(watched.told).toEqual([SERVICE_UNKNOWN]);
    watched.stream.cancel();
    client.close();
    await toy.stop();
  });

  it('tells watchers each change once, and the drain before their stream ends', async () => {
    const { toy, client, watch } = await started();
    const watched = watch('toy.v1.Toy');
    await until(() => watched.told.length === 1);
    toy.health.setReady(true);
    toy.health.setReady(true);
    await until(() => watched.told.length === 2);
    toy.health.drain();
    toy.health.setReady(true);
    await until(() => watched.told.length === 3);
    await toy.stop();
    expect((await watched.ended).code).toBe(status.UNAVAILABLE);
    expect(watched.told).toEqual([NOT_SERVING, SERVING, NOT_SERVING]);
    client.close();
  });
});

describe('a drain', () => {
  it('lets calls under way finish, ends streams with UNAVAILABLE, and takes no longer than they', async () => {
    const { toy, client } = await started();
    const slow = client.unary('Wait', waitBytes(300));
    const stream = client.serverStream('Tick', waitBytes(5));
    stream.resume();
    const ended = new Promise<{ code: number; details: string; metadata: never }>((resolve) => stream.on('error', resolve));
    await until(() => toy.invoker.load.unary === 1 && toy.invoker.load.streams === 1);
    const before = Date.now();
    const stopped = toy.server.stop(5000);
    const error = await ended;
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(faultOf(error)).toMatchObject({ reason: 'DRAINING', retryAfter: 100 });
    await expect(slow).resolves.toBeDefined();
    await stopped;
    expect(Date.now() - before).toBeLessThan(2000);
    client.close();
  });

  it('waits no longer than its grace for a call that does not end', async () => {
    const { toy, client } = await started();
    const slow = failed(client.unary('Wait', waitBytes(5000)));
    await until(() => toy.invoker.load.unary === 1);
    const before = Date.now();
    await toy.server.stop(200);
    expect(Date.now() - before).toBeLessThan(1500);
    await slow;
    client.close();
  });

  it('refuses new streams on connections that are still open', async () => {
    const { toy, client } = await started();
    await client.unary('Say', infoBytes(''));
    toy.invoker.endStreams();
    const stream = client.serverStream('Tick', waitBytes(5));
    const error = await new Promise<{ code: number }>((resolve) => stream.on('error', resolve).resume());
    expect(error.code).toBe(status.UNAVAILABLE);
    await expect(client.unary('Say', infoBytes(''))).resolves.toBeDefined();
    client.close();
    await toy.stop();
  });
});
