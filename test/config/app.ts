// A whole hub in this process, from environment variables to answers: for tests of what a variable does.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from '@bufbuild/protobuf';
import { type App, createApp, type Overrides } from '../../src/app.ts';
import { firstStart } from '../../src/cli/first-start.ts';
import { loadConfig } from '../../src/server/config/schema.ts';
import { readTextFile } from '../../src/server/config/secrets.file.ts';
import { descriptors } from '../../src/server/descriptors/registry.ts';
import type { Bootstrap, Environment } from '../hub-process.ts';
import { type FreshDatabase, freshDatabase, outcome } from '../harness.ts';
import { freePort } from '../stores.ts';

export interface Hub {
  readonly app: App;
  readonly bootstrap: Bootstrap;
  /** A call by the administrator of `dev` unless another credential is given; '' is none. Rejects with the Fault. */
  ask(method: string, request: JsonObject, credential?: string, headers?: Headers): Promise<JsonObject>;
  /** What comes of it: `OK`, or `CODE/REASON`. */
  outcome(method: string, request: JsonObject, credential?: string): Promise<string>;
  /** As `ask`, with bytes of one's own behind those of the request. */
  raw(method: string, request: JsonObject, more: Uint8Array): Promise<JsonObject>;
  /** All metrics, as a scraper sees them. */
  scrape(): Promise<string>;
  /** The sum of a metric's samples. */
  metric(name: string): Promise<number>;
  ready(): Promise<{ readonly status: number; readonly text: string }>;
  stop(): Promise<void>;
}

type Headers = Readonly<Record<string, string>>;

const method = async (
  app: App,
  name: string,
  request: JsonObject,
  credential: string,
  headers: Headers,
  more: Uint8Array = new Uint8Array(),
): Promise<JsonObject> => {
  const { registry } = descriptors();
  const path = `/securityhub.v1.${name}`;
  const found = descriptors().method(path);
  if (found === undefined) throw new Error(`no method ${path}`);
  const input = Buffer.concat([toBinary(found.input, fromJson(found.input, request, { registry })), more]);
  const bytes = await app.invoker.invoke(path, input, {
    peer: { transport: 'tcp', address: '127.0.0.1', loopback: true, certificate: null },
    deadline: Number.POSITIVE_INFINITY,
    header: (header) => headers[header] ?? (header === 'authorization' && credential !== '' ? `Bearer ${credential}` : ''),
    onCancel: () => {},
  });
  return toJson(found.output, fromBinary(found.output, bytes), { registry, alwaysEmitImplicit: true }) as JsonObject;
};

/** Development on the given stores; free ports, and a probe port for metrics in the clear. */
export const openHub = async (environment: Environment, overrides: Overrides = {}): Promise<Hub> => {
  const probe = await freePort();
  const dataDir = mkdtempSync(join(tmpdir(), 'security-hub-config-'));
  const { config } = loadConfig({
    environment: {
      GRPC_PORT: '0',
      HTTP_PORT: '0',
      PROBE_PORT: String(probe),
      LOG_LEVEL: 'silent',
      // What holds this event loop is the test itself: keys made, clocks that jump. Shedding is shown on a server of its own.
      SHED_LAG_MILLISECONDS: '0',
      DATA_DIR: dataDir,
      ENCRYPTION_KEY: Buffer.from('a master key for nothing but test').subarray(0, 32).toString('base64'),
      ...environment,
    },
    flags: {},
    readFile: readTextFile,
  });
  const app = await createApp(config, overrides);
  await app.start();
  await firstStart(app, { out: () => {}, err: () => {}, env: {} });
  const bootstrap = JSON.parse(readFileSync(join(dataDir, 'bootstrap.json'), 'utf8')) as Bootstrap;
  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${probe}${path}`);
  const scrape = async (): Promise<string> => (await get('/metrics')).text();
  const ask: Hub['ask'] = (name, request, credential = bootstrap.access_token, headers = {}) =>
    method(app, name, request, credential, headers);
  return {
    app,
    bootstrap,
    ask,
    outcome: (...asked) => outcome(ask(...asked)),
    raw: (name, request, more) => method(app, name, request, bootstrap.access_token, {}, more),
    scrape,
    async metric(name) {
      const lines = (await scrape()).split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    async ready() {
      const answer = await get('/readyz');
      return { status: answer.status, text: await answer.text() };
    },
    stop: () => app.stop(),
  };
};

/** A hub for the tests of a file, on a database of its own: opened before the first, stopped after the last. */
export const hubOfFile = (): { readonly hub: Hub; readonly database: FreshDatabase } => {
  const own = {} as { hub: Hub; database: FreshDatabase };
  beforeAll(async () => {
    own.database = await freshDatabase();
    own.hub = await openHub({ POSTGRES_URI: own.database.uri });
  });
  afterAll(async () => {
    await own.hub?.stop();
    await own.database?.close();
  });
  return own;
};
