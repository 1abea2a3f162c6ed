// The examples, as somebody who installed the package would run them, against the built hub.
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { faultOf } from '../../src/server/grpc/status.ts';
import { freePort } from '../stores.ts';
import { install, nodes } from './installed.ts';
import { createWorld, type World } from './world.ts';

let world: World;
let folder: string;
beforeAll(async () => {
  folder = install();
  cpSync(join(import.meta.dirname, '../../examples'), join(folder, 'examples'), { recursive: true });
  world = await createWorld();
}, 60_000);
afterAll(() => world.close());

const running: { readonly child: ChildProcess; readonly ended: Promise<number | null> }[] = [];
const stop = async (): Promise<(number | null)[]> => {
  const ended = running.splice(0).map(({ child, ended: end }) => {
    child.kill('SIGTERM');
    return end;
  });
  return Promise.all(ended);
};
afterEach(stop);

/** Resolves with the port it listens on. */
const run = async (node: string, example: string): Promise<number> => {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HUB: world.hub.grpc,
    CREDENTIAL: world.bootstrap.access_token,
    PORT: String(await freePort()),
  };
  const child = spawn(node, [join(folder, 'examples', example)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  running.push({ child, ended: new Promise((resolve) => child.once('exit', resolve)) });
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (text: Buffer) => {
      const port = /listening on (\d+)/.exec(String(text))?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('exit', (code) => reject(new Error(`the example ended with ${code}`)));
  });
};

describe.each(nodes())('under %s', (node) => {
  it('the HTTP service greets who shows a good token, refuses others, and ends when told', async () => {
    const { accessToken, userId } = await world.login();
    const url = `http://127.0.0.1:${await run(node, 'http-service.mjs')}`;
    const get = (path: string, token = ''): Promise<Response> =>
      fetch(`${url}${path}`, token === '' ? {} : { headers: { authorization: `Bearer ${token}`, connection: 'close' } });
    const good = await get('/', accessToken);
    expect([good.status, await good.json()]).toEqual([200, { hello: userId, tenant: 'dev' }]);
    expect(good.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await get('/')).status).toBe(401);
    expect((await get('/', `${accessToken.slice(0, -4)}AAAA`)).status).toBe(401);
    expect((await get('/', world.bootstrap.api_key)).status).toBe(200);
    expect((await get('/healthz')).status).toBe(200);
    expect(await stop()).toEqual([0]);
  });

  it('the gRPC service lets in who shows a good token and decides by what the hub says', async () => {
    const { accessToken, userId } = await world.login();
    const caller = new Client(`127.0.0.1:${await run(node, 'grpc-service.cjs')}`, credentials.createInsecure());
    const greet = (token: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const metadata = new Metadata();
        if (token !== '') metadata.set('authorization', `Bearer ${token}`);
        caller.makeUnaryRequest(
          '/examples.Greeter/Greet',
          (value: string) => Buffer.from(value),
          String,
          'c1',
          metadata,
          (error, value) => (error === null ? resolve(value ?? '') : reject(error)),
        );
      });
    const reasonOf = (error: unknown): string => faultOf(error as ServiceError).reason;
    expect(await greet(accessToken)).toMatch(new RegExp(`^${userId} may .*read c1$`));
    expect(await greet('').catch(reasonOf)).toBe('CREDENTIALS_MISSING');
    expect(await greet(`${accessToken.slice(0, -4)}AAAA`).catch(reasonOf)).toBe('SIGNATURE_INVALID');
    caller.close();
    expect(await stop()).toEqual([0]);
  });
});
