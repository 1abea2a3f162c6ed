// AuthZEN over HTTP on the built hub: the published requests of its interoperability suite and its certification, and what is refused.
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FreshDatabase, freshDatabase, redisUrl } from '../harness.ts';
import { hubHome, type HubProcess, startHub } from '../hub-process.ts';
import { freePort } from '../stores.ts';
import { object, PASSWORD, text } from './access-callers.ts';
import { type JsonClient, openJsonClient } from './json-client.ts';

interface Case {
  readonly name: string;
  readonly path: string;
  readonly body?: JsonObject;
  readonly raw?: string;
  readonly type?: string;
  readonly caller?: string;
  readonly want?: boolean | readonly boolean[];
  /** With a no: its reason code. */
  readonly code?: string;
  readonly names?: readonly string[];
  readonly finds?: readonly string[];
  readonly misses?: readonly string[];
  readonly status?: number;
  readonly says?: string;
}

interface Fixture {
  readonly types: readonly JsonObject[];
  readonly roles: readonly JsonObject[];
  readonly users: readonly (JsonObject & { readonly username: string })[];
  readonly policies: readonly JsonObject[];
  readonly resources: readonly JsonObject[];
}

const { fixture, cases } = JSON.parse(readFileSync(new URL('../cases/authorization/authzen.json', import.meta.url), 'utf8')) as {
  readonly fixture: Fixture;
  readonly cases: readonly Case[];
};

let database: FreshDatabase;
let hub: HubProcess;
let client: JsonClient;
let issuer: string;
const credentials = new Map<string, string>([['forger', 'not.a.token']]);

const make = (rpc: string, request: JsonObject, bearer = credentials.get('admin') ?? ''): Promise<JsonObject> =>
  client.ask(`securityhub.v1.${rpc}`, request, bearer);

/** `{name}` in a policy stands for the id of that user. */
const prepare = async (): Promise<void> => {
  for (const resourceType of fixture.types) await make('AuthorizationService/PutResourceType', { resourceType });
  for (const role of fixture.roles) await make('AuthorizationService/PutRole', { role });
  const ids = new Map<string, string>();
  for (const user of fixture.users) {
    const made = await make('UserService/CreateUser', { ...user, password: PASSWORD });
    ids.set(user.username, text(object(made['user'])['id']));
  }
  const filled = (policy: JsonObject): string =>
    JSON.stringify(policy).replace(/\{([\w]{20,})\}/g, (_, name: string) => ids.get(name) ?? '');
  const sources = fixture.policies.map((policy, at) => ({ name: `${at}.json`, content: filled(policy) }));
  await make('AuthorizationService/ApplyPolicies', { sources });
  await make('AuthorizationService/PutResources', { resources: [...fixture.resources] });
  const login = await make('AuthenticationService/Login', { tenantId: 'dev', username: 'bob', password: PASSWORD }, '');
  credentials.set('bob', text(object(login['tokens'])['accessToken']));
};

beforeAll(async () => {
  database = await freshDatabase();
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  const stores = { POSTGRES_URI: database.uri, REDIS_URL: redisUrl(), REDIS_PREFIX: 'authzen:' };
  hub = await startHub({ ...hubHome().env, ...stores, HTTP_PORT: String(port), JWT_ISSUER: issuer, HTTP_SIX_CALLS: 'false' });
  client = openJsonClient(hub.grpc);
  credentials.set('admin', hub.bootstrap().access_token);
  await prepare();
});
afterAll(async () => {
  client.close();
  await hub.stop();
  await database.close();
});

const ask = (path: string, body: string, { caller = 'admin', type = 'application/json' }: Partial<Case> = {}, more = {}) =>
  fetch(`${issuer}/access/v1/${path}`, {
    method: 'POST',
    headers: {
      'content-type': type,
      ...(credentials.has(caller) ? { authorization: `Bearer ${credentials.get(caller)}` } : {}),
      ...more,
    },
    body,
  });

interface Decided {
  readonly decision: boolean;
  readonly context: Readonly<Record<string, unknown>>;
}
interface Answer extends Decided {
  readonly evaluations?: readonly Decided[];
  readonly results?: readonly { readonly name?: string; readonly type?: string; readonly id?: string }[];
  readonly page?: { readonly next_token: string };
}

describe('AuthZEN', () => {
  it.each(cases)('$name', async (given) => {
    const answer = await ask(given.path, given.raw ?? JSON.stringify(given.body), given);
    if (given.says !== undefined) {
      const said = await answer.text();
      expect([answer.status, said.slice(0, given.says.length)]).toEqual([given.status ?? 0, given.says]);
      return;
    }
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
    const { decision, context, evaluations, results } = (await answer.json()) as Answer;
    const found = results?.map(({ name, id }) => name ?? id);
    if (given.names !== undefined) expect(found).toEqual(given.names);
    else if (given.finds !== undefined) {
      expect(found).toEqual(expect.arrayContaining([...given.finds]));
      for (const missed of given.misses ?? []) expect(found).not.toContain(missed);
      expect(new Set(results?.map(({ type }) => type)).size).toBe(1);
    } else expect(evaluations?.map((one) => one.decision) ?? decision).toEqual(given.want);
    if (given.code !== undefined) expect(context['reason_code']).toBe(given.code);
  });

  const READS = { subject: { type: 'user', id: 'alice' }, action: { name: 'read' }, resource: { type: 'record', id: 'record-1' } };

  it('follows a user to another address, and leaves the old one to nobody', async () => {
    const { user } = await make('UserService/CreateUser', { username: 'carol', email: 'carol@example.com', roles: ['record-reader'] });
    const reads = async (id: string): Promise<boolean> => {
      const answer = await ask('evaluation', JSON.stringify({ ...READS, subject: { type: 'user', id } }));
      return ((await answer.json()) as Answer).decision;
    };
    expect([await reads('carol@example.com'), await reads('carol@example.org')]).toEqual([true, false]);
    await make('UserService/UpdateUser', { userId: object(user)['id'] ?? '', email: 'carol@example.org' });
    expect([await reads('carol@example.com'), await reads('carol@example.org'), await reads('carol')]).toEqual([false, true, true]);
  });

  it('follows its pages of subjects to the end, which is told by an empty token', async () => {
    const asked = { subject: { type: 'user' }, action: { name: 'read' }, resource: { type: 'record', id: 'record-1' } };
    const whole = ((await (await ask('search/subject', JSON.stringify(asked))).json()) as Answer).results;
    const seen: unknown[] = [];
    let token = '';
    do {
      const answer = await ask('search/subject', JSON.stringify({ ...asked, page: { limit: 1, token } }));
      const { results, page } = (await answer.json()) as Answer;
      expect(results?.length ?? 2).toBeLessThanOrEqual(1);
      seen.push(...(results ?? []));
      token = page?.next_token ?? '';
    } while (token !== '');
    expect(seen).toEqual(whole);
  });

  it('echoes the id of the request, and makes one where there is none', async () => {
    const given = await ask('evaluation', JSON.stringify(READS), {}, { 'x-request-id': 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716' });
    expect(given.headers.get('x-request-id')).toBe('bfe9eb29-ab87-4ca3-be83-a1d5d8305716');
    const refused = await ask('evaluation', '{}', {}, { 'x-request-id': 'mine' });
    expect([refused.status, refused.headers.get('x-request-id')]).toEqual([400, 'mine']);
    expect((await ask('evaluation', JSON.stringify(READS))).headers.get('x-request-id')).toMatch(/^req/);
  });

  it('names the rule of its answer, and an id under which the decision is logged', async () => {
    const { context } = (await (await ask('evaluation', JSON.stringify(READS))).json()) as Answer;
    expect(context).toMatchObject({ reason_code: 'ALLOWED', decision_id: expect.stringMatching(/^\w{8,}/) });
  });

  it('takes a credential as every call does: an unknown Host is told nothing', async () => {
    const status = await new Promise((resolve, reject) => {
      const sent = request(`${issuer}/access/v1/evaluation`, { method: 'POST', headers: { host: 'evil.example' } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(READS));
    });
    expect(status).toBe(403);
  });

  it('survives nesting that nobody needs', async () => {
    const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`;
    const body = JSON.stringify({ ...READS, context: 0 }).replace('"context":0', `"context":${deep}`);
    expect((await ask('evaluation', body)).status).toBe(400);
  });

  it('describes itself: every address in it answers', async () => {
    const found = await fetch(`${issuer}/.well-known/authzen-configuration`);
    expect([found.status, found.headers.get('content-type')]).toEqual([200, 'application/json']);
    const { policy_decision_point: base, ...endpoints } = (await found.json()) as Record<string, string>;
    expect(base).toBe(issuer);
    expect(Object.keys(endpoints)).toEqual([
      'access_evaluation_endpoint',
      'access_evaluations_endpoint',
      'search_subject_endpoint',
      'search_resource_endpoint',
      'search_action_endpoint',
    ]);
    for (const [name, url] of Object.entries(endpoints)) {
      const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(READS) });
      expect([name, answer.status, answer.headers.get('www-authenticate')]).toEqual([name, 401, 'Bearer']);
    }
  });
});
