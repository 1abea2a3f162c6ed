// The keys of trusted issuers, fetched from real servers that count, stall, lie and die; and what may be registered at all.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hours, type Millis, minutes, seconds } from '../../../src/base/time.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { type Hub, openHub } from '../../config/app.ts';
import { selfSigned } from '../../wire/self-signed.ts';
import { DISCOVERY, type IssuerServer, issuerServer, JWKS, keyPair } from './issuer-server.ts';

let database: FreshDatabase;
let clock: TestClock;
let hub: Hub;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  hub = await openHub(
    {
      POSTGRES_URI: database.uri,
      // What holds a flood back here is what an issuer is asked, not what one caller may cause.
      KEY_MISSES_PER_SECOND: '0',
      TRUSTED_ISSUER_KEYS_HOURS: '1',
      TRUSTED_ISSUER_HOSTS: '127.0.0.1, *.example.com, localhost',
    },
    { clock },
  );
});
afterAll(async () => {
  for (const end of ends.splice(0)) await end();
  await hub.stop();
  await database.close();
});

/** News of revocations must be young again before anything is answered. */
const advance = async (by: Millis): Promise<void> => {
  clock.advance(by);
  if (by > minutes(4)) await waitFor(() => hub.app.platform.feed.age() < seconds(10), 5000, 'the next poll');
};

/** Key ids that nobody has. */
const FLOOD = 10_000;

let count = 0;
const put = (issuer: JsonObject) =>
  hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer: { audiences: ['orders'], name: `issuer-${(count += 1)}`, ...issuer } });
const validate = (token: string) => hub.ask('SecurityHub/ValidateToken', { token, audience: 'orders' });
/** `valid`, the first reason, or the fault. */
const said = (token: string): Promise<unknown> =>
  validate(token).then(
    (answer) => (answer['valid'] === true ? 'valid' : (answer['reasons'] as JsonObject[])[0]?.['code']),
    ({ code, reason }: { readonly code: string; readonly reason: string }) => `${code} ${reason}`,
  );
const registered = async (options: Parameters<typeof issuerServer>[0] = {}, over: JsonObject = {}): Promise<IssuerServer> => {
  const server = await issuerServer({ now: clock.now, ...options });
  ends.push(() => server.stop());
  await put({ issuer: server.url, ...over });
  return server;
};
const jwksAsked = (server: IssuerServer): number => server.asked.get(JWKS) ?? 0;

describe('a flood of key ids', () => {
  it('causes one fetch, and a new key is found as soon as the cool-down is over', async () => {
    const server = await registered();
    expect(await said(server.token())).toBe('valid');
    await advance(seconds(31));
    const stranger = keyPair('stranger');
    const answers = new Set<unknown>();
    for (let asked = 0; asked < FLOOD; asked += 500) {
      const tokens = Array.from({ length: 500 }, (_, at) => server.token({}, { ...stranger, kid: `stranger-${asked + at}` }));
      for (const answer of await Promise.all(tokens.map(said))) answers.add(answer);
    }
    expect(answers).toEqual(new Set(['KEY_UNKNOWN']));
    expect(jwksAsked(server)).toBe(2);

    const next = keyPair('next');
    server.keys.push(next);
    expect(await said(server.token({}, next))).toBe('KEY_UNKNOWN');
    await advance(seconds(31));
    expect(await said(server.token({}, next))).toBe('valid');
    expect(jwksAsked(server)).toBe(3);
  });

  it('that repeats one id does not ask for it again within five minutes', async () => {
    const server = await registered();
    expect(await said(server.token())).toBe('valid');
    await advance(seconds(31));
    const stranger = keyPair('stranger');
    expect(await said(server.token({}, stranger))).toBe('KEY_UNKNOWN');
    const asked = jwksAsked(server);
    await advance(seconds(31));
    expect(await said(server.token({}, stranger))).toBe('KEY_UNKNOWN');
    expect(jwksAsked(server)).toBe(asked);
  });
});

describe('an issuer that is away', () => {
  it('TRUSTED_ISSUER_KEYS_HOURS is how long the last good answer counts while the issuer is away', async () => {
    const server = await registered();
    expect(await said(server.token())).toBe('valid');
    await server.stop();
    await advance(minutes(50));
    expect(await said(server.token())).toBe('valid');
    await advance(minutes(11));
    expect(await said(server.token())).toBe('UNAVAILABLE ISSUER_KEYS_UNAVAILABLE');
    await server.restart();
    await advance(seconds(31));
    expect(await said(server.token())).toBe('valid');
  });

  it('leaves an unknown key without a verdict, and says why in its list', async () => {
    const server = await registered({}, { name: 'away' });
    expect(await said(server.token())).toBe('valid');
    await server.stop();
    await advance(seconds(31));
    expect(await said(server.token({}, keyPair('new')))).toBe('UNAVAILABLE ISSUER_KEYS_UNAVAILABLE');
    expect(await said(server.token())).toBe('valid');
    const listed = await hub.ask('TrustedIssuerService/ListTrustedIssuers', {});
    const entry = (listed['issuers'] as JsonObject[]).find(({ name }) => name === 'away');
    expect(entry).toMatchObject({ keys: { kids: ['first'], problem: 'the connection was refused' } });
  });

  it('from the start leaves everything without a verdict, and is not asked in a flood', async () => {
    const server = await registered();
    server.instead.set(DISCOVERY, (response) => response.writeHead(500).end());
    const answers = await Promise.all(Array.from({ length: 20 }, () => said(server.token())));
    expect(new Set(answers)).toEqual(new Set(['UNAVAILABLE ISSUER_KEYS_UNAVAILABLE']));
    expect(await said(server.token())).toBe('UNAVAILABLE ISSUER_KEYS_UNAVAILABLE');
    expect(server.asked.get(DISCOVERY)).toBe(1);
  });
});

describe('rotation', () => {
  it('is followed: the withdrawn key is refused at the next refresh, and what it had signed with it', async () => {
    const server = await registered();
    const old = server.token();
    expect(await said(old)).toBe('valid');
    server.keys = [keyPair('second')];
    await advance(minutes(12));
    expect(await said(old)).toBe('KEY_UNKNOWN');
    expect(await said(server.token())).toBe('valid');
  });

  it('is not waited for while a refresh is only due', async () => {
    const server = await registered();
    server.cacheControl = 'public, max-age=60';
    const token = server.token();
    expect(await said(token)).toBe('valid');
    await advance(seconds(61));
    server.instead.set(JWKS, () => {});
    expect(await said(token)).toBe('valid');
    await waitFor(() => jwksAsked(server) === 2, 2000, 'the refresh behind it');
  });
});

describe('what an issuer answers', () => {
  const wrong: readonly (readonly [string, (server: IssuerServer) => void, string])[] = [
    [
      'a huge document',
      (server) => server.instead.set(JWKS, (response) => response.end(`{"keys":[],"x":"${'x'.repeat(200_000)}"}`)),
      'larger',
    ],
    ['no JSON', (server) => server.instead.set(JWKS, (response) => response.end('<html>')), 'no JWK Set'],
    [
      'a redirect',
      (server) => server.instead.set(JWKS, (response) => response.writeHead(302, { location: `${server.url}/other` }).end()),
      'answered 302',
    ],
    [
      'another issuer’s discovery document',
      (server) =>
        server.instead.set(DISCOVERY, (response) =>
          response.end(JSON.stringify({ issuer: 'https://other.example.com', jwks_uri: `${server.url}${JWKS}` })),
        ),
      'another issuer',
    ],
    [
      'a jwks_uri inside the metadata network',
      (server) =>
        server.instead.set(DISCOVERY, (response) =>
          response.end(JSON.stringify({ issuer: server.url, jwks_uri: 'https://169.254.169.254/keys' })),
        ),
      'never come from',
    ],
  ];
  it.each(wrong)('%s gives no verdict', async (_, spoil, problem) => {
    const server = await registered();
    spoil(server);
    await expect(validate(server.token())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'ISSUER_KEYS_UNAVAILABLE',
      message: expect.stringContaining(problem) as unknown as string,
    });
    expect(server.asked.get('/other')).toBeUndefined();
  });

  it('late gives no verdict within the time that is given it', async () => {
    const server = await registered();
    server.instead.set(JWKS, (response) => response.writeHead(200).write('{"keys":['));
    await expect(validate(server.token())).rejects.toMatchObject({ message: expect.stringContaining('within 3 s') as unknown as string });
  });

  it('over a certificate that nobody vouches for gives no verdict', async () => {
    const server = await registered({ tls: selfSigned('stranger') });
    await expect(validate(server.token())).rejects.toMatchObject({
      message: expect.stringContaining('TLS certificate') as unknown as string,
    });
  });

  it('over a certificate of its own authority counts', async () => {
    const tls = selfSigned('friend');
    const server = await registered({ tls }, { caCertificates: tls.ca });
    expect(await said(server.token())).toBe('valid');
  });
});

describe('a registration', () => {
  const good = { issuer: 'https://id.example.com' };
  it.each<[string, JsonObject, string]>([
    ['plain http to another machine', { jwksUri: 'http://id.example.com/keys' }, 'issuer.jwks_uri'],
    ['the metadata address', { jwksUri: 'https://169.254.169.254/latest' }, 'issuer.jwks_uri'],
    ['it as an IPv6 address', { jwksUri: 'https://[::ffff:169.254.169.254]/latest' }, 'issuer.jwks_uri'],
    ['a password in the address', { jwksUri: 'https://a:b@id.example.com/keys' }, 'issuer.jwks_uri'],
    ['a file', { discoveryUri: 'file:///etc/passwd' }, 'issuer.discovery_uri'],
    ['no address at all', { issuer: 'my issuer'.replace(' ', '-') }, 'issuer.jwks_uri'],
    ['two sources', { jwksUri: 'https://id.example.com/keys', jwks: '{"keys":[]}' }, 'issuer.jwks_uri'],
    ['an empty key set', { jwks: '{"keys":[]}' }, 'issuer.jwks'],
    ['a secret as a key', { jwks: '{"keys":[{"kty":"oct","k":"AAAA","kid":"a","alg":"HS256"}]}' }, 'issuer.jwks'],
    ['HMAC', { algorithms: ['HS256'] }, 'issuer.algorithms[0]'],
    ['no signature', { algorithms: ['ES256', 'none'] }, 'issuer.algorithms[1]'],
    ['no audience', { audiences: [] }, 'issuer.audiences'],
    ['our own issuer', { issuer: 'https://security-hub.internal' }, 'issuer.issuer'],
    ['roles without a claim', { mapping: { roles: { a: 'viewer' } } }, 'issuer.mapping.roles'],
    ['roles for our own users', { mapping: { subjectKind: 'user', defaultRoles: ['viewer'] } }, 'issuer.mapping.roles'],
    ['rubbish as authorities', { caCertificates: 'x' }, 'issuer.ca_certificates'],
    ['a longer life than revocations are remembered', { maxAge: '43201s' }, 'issuer.max_age'],
  ])('with %s is refused, and the field named', async (_, over, field) => {
    await expect(put({ ...good, ...over })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [expect.objectContaining({ field })],
    });
  });

  it('TRUSTED_ISSUER_HOSTS lists where keys may come from', async () => {
    await expect(put({ issuer: 'https://id.example.net' })).rejects.toMatchObject({
      reason: 'ISSUER_ADDRESS_FORBIDDEN',
      message: expect.stringContaining('TRUSTED_ISSUER_HOSTS') as unknown as string,
    });
    expect(await put({ issuer: 'https://id.example.com' })).toMatchObject({ issuer: { issuer: 'https://id.example.com' } });
  });

  it('keeps its issuer: another one needs another name', async () => {
    await put({ name: 'fixed', issuer: 'https://a.example.com' });
    await expect(put({ name: 'fixed', issuer: 'https://b.example.com' })).rejects.toMatchObject({ reason: 'ISSUER_FIXED' });
  });
});

describe('time', () => {
  it('of a token ends where revocations would be forgotten, whatever its exp says', async () => {
    const server = await registered({}, { maxAge: '600s' });
    const at = Math.floor(clock.now() / 1000);
    const token = server.token({ exp: at + 365 * 86_400 });
    expect(await said(token)).toBe('valid');
    await advance(seconds(601));
    expect(await said(token)).toBe('TOKEN_EXPIRED');
    const old = server.token({ iat: Math.floor((clock.now() - hours(13)) / 1000), exp: at + 365 * 86_400 });
    expect(await said(old)).toBe('TOKEN_EXPIRED');
  });
});
