// Bad input to each of the six calls, EnforceDataAccess and registered resources, over the wire on the built hub: code, reason and field as documented, and nothing changed.
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FreshDatabase, freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { hubHome, type HubProcess, startHub } from '../hub-process.ts';
import { object, PASSWORD, text } from './access-callers.ts';
import { csrValues, patched, resolve, sealedValues, tokenValues } from './bad-input-values.ts';
import { type JsonClient, openJsonClient, type Outcome, requestBytes } from './json-client.ts';

interface Case {
  readonly name: string;
  /** Put into the good request, at dotted paths. */
  readonly set?: JsonObject;
  /** Bytes (hex) behind the good request's, or instead of it. */
  readonly append?: string;
  readonly bytes?: string;
  /** `<code> <reason>`; `OK <reason>` for an answer that says no. */
  readonly expect: string;
  /** Fields that BadRequest names. */
  readonly fields?: readonly string[];
  /** Of a batch: the reason code of each result. */
  readonly results?: readonly string[];
}

interface Table {
  readonly rpc: string;
  readonly good: JsonObject;
  readonly cases: readonly Case[];
}

const CALLS = [
  'validate-token',
  'check-permission',
  'batch-check',
  'encrypt',
  'decrypt',
  'issue-service-cert',
  'enforce-data-access',
  'list-resources',
  'put-resources',
  'delete-resources',
] as const;
const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(`../cases/bad-input/${name}.json`, import.meta.url), 'utf8')) as T;

const HUB = 'securityhub.v1.SecurityHub';
const values = new Map<string, JsonValue>();
let database: FreshDatabase;
let hub: HubProcess;
let client: JsonClient;
/** The administrator of dev, who runs the installation as well; whoever asks in the tables runs the tenant alone. */
let operator: string;
let admin: string;

const make = (rpc: string, request: JsonObject, bearer = operator): Promise<JsonObject> =>
  client.ask(`securityhub.v1.${rpc}`, request, bearer);
const logIn = async (tenantId: string, username: string): Promise<JsonObject> =>
  object((await make('AuthenticationService/Login', { tenantId, username, password: PASSWORD }, ''))['tokens']);
const keep = (made: Record<string, JsonValue>): void => {
  for (const [name, value] of Object.entries(made)) values.set(name, value);
};

const sealedIn = async (context: JsonObject, over: JsonObject = {}, bearer = operator): Promise<string> => {
  const request = { plaintext: Buffer.from('the secret').toString('base64'), context, ...over };
  return text((await make('SecurityHub/Encrypt', request, bearer))['ciphertext']);
};

/** Everything the tables call by name. */
const prepare = async (signingKey: string): Promise<void> => {
  const { user } = await make('UserService/CreateUser', { username: 'mia', password: PASSWORD, roles: ['member'] });
  await make('UserService/CreateUser', { username: 'ada', password: PASSWORD, roles: ['owner', 'admin'] });
  admin = text((await logIn('dev', 'ada'))['accessToken']);
  const mia = await logIn('dev', 'mia');
  keep({ user: text(object(user)['id']), ...tokenValues(text(mia['accessToken']), createPrivateKey(signingKey)) });
  keep({ document: { type: 'documents', id: 'd1' } });
  keep({ 'token.refresh': text(mia['refreshToken']), check: { action: 'read', resource: { type: 'conversations' } } });

  await make('AuthorizationService/PutResourceType', { resourceType: { name: 'folders' } });
  const documents = { name: 'documents', attributes: { pages: 'int' }, parentTypes: ['folders'] };
  await make('AuthorizationService/PutResourceType', { resourceType: documents });

  await make('TenantService/CreateTenant', { id: 'acme', namespaces: ['acme'] });
  const { user: eve } = await make('UserService/CreateUser', { tenantId: 'acme', username: 'eve', password: PASSWORD, roles: ['owner'] });
  const abroad = text((await logIn('acme', 'eve'))['accessToken']);
  const { secret: foreignKey } = await make('ApiKeyService/CreateApiKey', { name: 'k', permissions: ['conversations:read'] }, abroad);
  keep({ 'user.acme': text(object(eve)['id']), 'token.acme': abroad, 'api_key.acme': text(foreignKey) });

  const { secret: unseen } = await make('ApiKeyService/CreateApiKey', { name: 'unseen', permissions: ['conversations:read'] });
  keep({ 'api_key.unseen': text(unseen) });
  const { secret, apiKey } = await make('ApiKeyService/CreateApiKey', { name: 'revoked', permissions: ['conversations:read'] });
  await make('ApiKeyService/RevokeApiKey', { apiKeyId: text(object(apiKey)['id']) });
  const revoked = text(secret);
  const last = revoked.at(-1) === 'a' ? 'b' : 'a';
  keep({ 'api_key.revoked': revoked, 'api_key.changed': revoked.slice(0, -1) + last, 'api_key.cut': revoked.slice(0, 20) });

  keep(
    sealedValues(await sealedIn({ classification: 'restricted', purpose: 'tests', attributes: { a: '1' } }, { associatedData: 'YQ==' })),
  );
  keep({ 'sealed.acme': await sealedIn({}, {}, abroad) });
  const { key } = await make('EncryptionService/CreateKey', { name: 'off' });
  const off = await sealedIn(
    { classification: 'restricted', purpose: 'tests', attributes: { a: '1' } },
    { keyName: 'off', associatedData: 'YQ==' },
  );
  const { key: foreign } = await make('EncryptionService/CreateKey', { name: 'theirs' }, abroad);
  await make('EncryptionService/DisableKey', { keyName: 'off' });
  const broken = sealedValues(off);
  keep({ 'sealed.off': off, 'sealed.off_header': text(broken['sealed.key_id_bit']), 'sealed.off_end': text(broken['sealed.last_bit']) });
  keep({ 'key.off': text(object(key)['id']), 'key.acme': text(object(foreign)['id']) });

  const { certificatePem, trustBundlePem } = await make('SecurityHub/IssueServiceCert', {
    namespace: 'default',
    service: 'billing',
    generateKey: {},
  });
  keep(csrValues(text(certificatePem)));
  const { certificatePem: foreignPem } = await make(
    'SecurityHub/IssueServiceCert',
    { namespace: 'acme', service: 'shop', generateKey: {} },
    abroad,
  );
  keep({ chain: text(certificatePem), 'chain.root': text(trustBundlePem), 'chain.acme': text(foreignPem) });
  keep({ 'chain.cut': text(certificatePem).slice(0, 300) });
};

beforeAll(async () => {
  database = await freshDatabase();
  const home = hubHome();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signingKey = text(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const path = join(home.dataDir, 'signing.pem');
  writeFileSync(path, signingKey, { mode: 0o600 });
  hub = await startHub({
    ...home.env,
    POSTGRES_URI: database.uri,
    REDIS_URL: redisUrl(),
    REDIS_PREFIX: 'bad-input:',
    JWT_PRIVATE_KEY_PATH: path,
  });
  client = openJsonClient(hub.grpc);
  operator = hub.bootstrap().access_token;
  await prepare(signingKey);
});
afterAll(async () => {
  client.close();
  await hub.stop();
  await database.close();
});

// Who is alive, who does which chore, what was asked, decided and counted: these go on by themselves.
const PASSING = ['replica', 'lease', 'outbox', 'decision', 'session_counts'];

/** What stands in every table of the service but the audit log's. */
const contents = async (): Promise<Record<string, string>> => {
  const rows = await database.sql<{ name: string; digest: string }>(
    `SELECT relname AS name, query_to_xml(format('SELECT count(*), md5(string_agg(t::text, ''|'' ORDER BY t::text)) FROM %I t', relname), false, true, '')::text AS digest
       FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'audit_event%' AND relname <> ALL ($1)`,
    [PASSING],
  );
  return Object.fromEntries(rows.map(({ name, digest }) => [name, digest]));
};

interface Answer {
  readonly valid?: boolean;
  readonly reasons?: readonly { readonly code: string }[];
  readonly claims?: unknown;
  readonly allowed?: boolean;
  readonly reasonCode?: string;
  readonly results?: readonly Answer[];
}
const verdict = ({ valid, reasons, allowed, reasonCode }: Answer): string =>
  valid === false ? (reasons?.[0]?.code ?? '') : allowed === false || allowed === undefined ? (reasonCode ?? '') : '';
const said = ({ code, reason, answer }: Outcome): string => `${code} ${code === 'OK' ? verdict(answer) : reason}`.trim();

/** Reasons after which nothing of the token may be shown: nobody vouches for what it says. */
const UNPROVEN = /MALFORMED|TOO_LARGE|TYPE_WRONG|ALGORITHM|KEY_UNKNOWN|SIGNATURE|DENIED_TENANT/;

const bytesOf = (rpc: string, good: JsonObject, { set, append, bytes }: Case): Uint8Array => {
  if (bytes !== undefined) return Buffer.from(bytes, 'hex');
  const request = object(resolve(patched(good, set ?? {}), values));
  return Buffer.concat([requestBytes(rpc, request), Buffer.from(append ?? '', 'hex')]);
};

describe.each(CALLS.map((name) => [name, read<Table>(name)] as const))('%s', (_, { rpc, good, cases }) => {
  it('takes the good request', async () => {
    expect(said(await client.call(rpc, object(resolve(good, values)), admin))).toBe('OK');
  });

  it.each(cases.map((one) => [one.name, one.expect, one] as const))('%s: %s', async (__, wanted, one) => {
    const before = await contents();
    const outcome = await client.call(rpc, bytesOf(rpc, good, one), admin);
    expect({ said: said(outcome), fields: outcome.violations.map(({ field }) => field) }).toEqual({
      said: wanted,
      fields: one.fields ?? [],
    });
    const answer: Answer = outcome.answer;
    if (one.results !== undefined) expect(answer.results?.map(({ reasonCode }) => reasonCode)).toEqual(one.results);
    if (UNPROVEN.test(wanted)) expect(answer.claims).toBeUndefined();
    expect(await contents()).toEqual(before);
  });
});

describe("the caller's own credential", () => {
  it.each(
    read<{ readonly name: string; readonly bearer: string; readonly expect: string }[]>('credentials').map((one) => [
      one.name,
      one.expect,
      one.bearer,
    ]),
  )('%s: %s', async (_, wanted, bearer) => {
    const before = await contents();
    const request = { token: text(values.get('token')) };
    const outcome = await client.call(`${HUB}/ValidateToken`, request, text(resolve(bearer, values)));
    expect(said(outcome)).toBe(wanted);
    expect(await contents()).toEqual(before);
  });
});

describe('what does not open', () => {
  it('reads the same, whatever is wrong', async () => {
    const { rpc, good, cases } = read<Table>('decrypt');
    const failed = cases.filter((one) => one.expect.endsWith('DECRYPTION_FAILED'));
    const told = await Promise.all(failed.map((one) => client.call(rpc, bytesOf(rpc, good, one), admin)));
    expect(failed.length).toBeGreaterThan(15);
    expect(new Set(told.map(({ message, violations }) => JSON.stringify([message, violations]))).size).toBe(1);
  });
});

interface Broken {
  readonly name: string;
  readonly rpc: string;
  readonly request: JsonObject;
  readonly break: string;
  readonly heal: string;
  readonly expect: string;
  readonly message: string;
  /** What we find of it in our own log. */
  readonly logs: string;
}

describe('an unknown database error', () => {
  beforeAll(() =>
    database.sql(
      `CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the canary of %', TG_TABLE_NAME USING ERRCODE = 'HX001'; END $$`,
    ),
  );

  it.each(read<Broken[]>('database-errors').map((one) => [one.name, one] as const))('never reaches the caller. %s', async (_, one) => {
    const request = object(resolve(one.request, values));
    const before = await contents();
    await database.sql(one.break);
    let outcome: Outcome;
    let overHttp: string;
    try {
      outcome = await client.call(one.rpc, request, admin);
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${admin}` };
      overHttp = await (await fetch(`${hub.http}/${one.rpc}`, { method: 'POST', headers, body: JSON.stringify(request) })).text();
    } finally {
      await database.sql(one.heal);
    }
    expect([said(outcome), outcome.message, outcome.violations]).toEqual([one.expect, one.message, []]);
    expect(overHttp).toContain(one.message);
    expect(overHttp).not.toMatch(/canary|column|HX001/);
    await waitFor(() => hub.output().replaceAll(String.raw`\"`, '"').includes(one.logs), 2000, 'the log');
    expect(await contents()).toEqual(before);
    // Mended, all is as before.
    expect((await client.call(one.rpc, request, admin)).code).not.toMatch(/INTERNAL|UNAVAILABLE/);
  });
});
