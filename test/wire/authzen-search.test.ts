// AuthZEN's searches on the built hub: the published requests of the interoperability suite's search scenario, and that an evaluation agrees.
import { readFileSync } from 'node:fs';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FreshDatabase, freshDatabase, redisUrl } from '../harness.ts';
import { hubHome, type HubProcess, startHub } from '../hub-process.ts';
import { object, PASSWORD, text } from './access-callers.ts';
import { openJsonClient } from './json-client.ts';

interface Entity {
  readonly type: string;
  readonly id: string;
}

interface Case {
  readonly search: 'subject' | 'resource' | 'action';
  readonly request: {
    readonly subject: Entity;
    readonly action?: { readonly name: string };
    readonly resource: Entity;
  };
  readonly results: readonly JsonObject[];
}

const given = JSON.parse(readFileSync(new URL('../cases/authorization/authzen-search.json', import.meta.url), 'utf8')) as {
  readonly users: readonly { readonly id: string; readonly role: string; readonly department: string }[];
  readonly records: readonly { readonly id: number; readonly title: string; readonly department: string; readonly owner: string }[];
  readonly type: JsonObject;
  readonly policy: JsonObject;
  readonly cases: readonly Case[];
};

const AUTHORIZATION = 'AuthorizationService';
const TENANT = 'library';

let database: FreshDatabase;
let hub: HubProcess;
let token: string;

beforeAll(async () => {
  database = await freshDatabase();
  hub = await startHub({ ...hubHome().env, POSTGRES_URI: database.uri, REDIS_URL: redisUrl(), REDIS_PREFIX: 'authzen-search:' });
  const client = openJsonClient(hub.grpc);
  const admin = hub.bootstrap().access_token;
  const make = (rpc: string, request: JsonObject): Promise<JsonObject> =>
    client.ask(`securityhub.v1.${rpc}`, { ...request, tenantId: TENANT }, admin);
  const person = async (username: string, over: JsonObject = {}): Promise<string> =>
    text(object((await make('UserService/CreateUser', { username, ...over }))['user'])['id']);

  await client.ask('securityhub.v1.TenantService/CreateTenant', { id: TENANT, namespaces: [TENANT] }, admin);
  await make(`${AUTHORIZATION}/PutResourceType`, { resourceType: given.type });
  await make(`${AUTHORIZATION}/PutRole`, { role: { name: 'manager-of-records' } });
  await make(`${AUTHORIZATION}/PutRole`, { role: { name: 'asker', permissions: ['authz:check', 'authz:read', 'config:read'] } });
  // Groups go by lower-case names.
  const departments = new Set([...given.users, ...given.records].map(({ department }) => department.toLowerCase()));
  for (const name of departments) await make(`${AUTHORIZATION}/PutGroup`, { group: { name } });
  const ids = new Map<string, string>();
  for (const { id, role, department } of given.users) {
    const userId = await person(id, { roles: role === 'manager' ? ['manager-of-records'] : [] });
    ids.set(id, userId);
    await make(`${AUTHORIZATION}/AddGroupMembers`, { group: department.toLowerCase(), members: [{ type: 'user', id: userId }] });
  }
  await make(`${AUTHORIZATION}/ApplyPolicies`, { sources: [{ name: 'records.json', content: JSON.stringify(given.policy) }] });
  await make(`${AUTHORIZATION}/PutResources`, {
    resources: given.records.map(({ id, title, department, owner }): JsonValue => {
      const attributes = { title, department: department.toLowerCase() };
      return { type: 'record', id: String(id), ownerId: ids.get(owner) ?? '', attributes };
    }),
  });
  await person('asker', { roles: ['asker'], password: PASSWORD });
  const login = await client.ask('securityhub.v1.AuthenticationService/Login', { tenantId: TENANT, username: 'asker', password: PASSWORD });
  token = text(object(login['tokens'])['accessToken']);
  client.close();
}, 60_000);
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const search = async (kind: string, request: object): Promise<{ readonly results: readonly JsonObject[]; readonly page?: JsonObject }> => {
  const answer = await fetch(`${hub.http}/access/v1/search/${kind}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(request),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as { results: JsonObject[] };
};

const asSet = (results: readonly JsonObject[]): ReadonlySet<string> => new Set(results.map((one) => JSON.stringify(one)));
const nameOf = ({ search: kind, request: { subject, action, resource } }: Case): string =>
  `${kind}: ${kind === 'subject' ? 'who' : subject.id} ${action?.name ?? 'does what'} ${kind === 'resource' ? 'what' : resource.id}`;

describe('AuthZEN search', () => {
  it.each(given.cases.map((one) => [nameOf(one), one] as const))('%s', async (_, { search: kind, request, results }) => {
    const found = await search(kind, request);
    expect(found.results).toHaveLength(results.length);
    expect(asSet(found.results)).toEqual(asSet(results));
  });

  it('comes in pages, whole', async () => {
    const [whole] = given.cases.filter((one) => one.search === 'resource' && one.results.length > 5);
    const seen: JsonObject[] = [];
    let next = '';
    do {
      const { results, page } = await search('resource', { ...whole?.request, page: { limit: 3, token: next } });
      expect(results.length).toBeLessThanOrEqual(3);
      seen.push(...results);
      next = text(page?.['next_token']);
    } while (next !== '');
    expect(seen).toEqual(whole?.results);
  });
});
