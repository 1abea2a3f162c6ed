// Attempts to keep what one may only use: identities, entries and issuers that are mightier than whoever makes them. Through the whole hub.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Hub, openHub } from '../config/app.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { jwt, keyPair } from '../rpc/issuers/issuer-server.ts';

const PASSWORD = 'quite a Long passw0rd!';
const ESCALATION = 'PERMISSION_DENIED/ESCALATION';
let database: FreshDatabase;
let hub: Hub;
/** Access tokens. */
let admin: string;
let developer: string;
let borrower: string;

const user = async (username: string, role: string): Promise<{ readonly id: string; readonly token: string }> => {
  const { user: made } = await hub.ask('UserService/CreateUser', { username, password: PASSWORD, roles: [role] });
  const { tokens } = await hub.ask('AuthenticationService/Login', { tenantId: 'dev', username, password: PASSWORD }, '');
  return { id: (made as { readonly id: string }).id, token: (tokens as { readonly accessToken: string }).accessToken };
};

const entry = (name: string, over: JsonObject = {}): JsonObject => ({ workload: { namespace: 'default', name, ...over } });
const put = (name: string, over: JsonObject, credential?: string) =>
  hub.outcome('WorkloadService/PutWorkload', entry(name, over), credential);
const become = (service: string, credential?: string) =>
  hub.outcome('SecurityHub/IssueServiceCert', { namespace: 'default', service, generateKey: {} }, credential);
const join = (service: string, credential?: string) =>
  hub.outcome('CertificateService/CreateJoinToken', { namespace: 'default', service }, credential);

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri, CERT_ALLOW_GENERATED_KEYS: 'true' });
  admin = (await user('anna', 'admin')).token;
  developer = (await user('dora', 'developer')).token;
  const bob = await user('bob', 'viewer');
  borrower = bob.token;
  await hub.ask('AuthorizationService/PutDelegation', {
    grantee: { type: 'user', id: bob.id },
    permissions: ['*:*'],
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

describe('a workload that hands out identities', () => {
  const OFFICE = { calls: ['IssueServiceCert'], permissions: ['certificates:issue'] };

  it.each<[string, JsonObject]>([
    ['issues', OFFICE],
    ['issues by a grant', { calls: ['IssueServiceCert'] }],
    ['makes join tokens', { calls: ['CreateJoinToken'], permissions: ['certificates:issue'] }],
  ])('that %s is registered by nobody who could not be every service itself', async (what, over) => {
    const name = what.replaceAll(' ', '-');
    expect(await put(name, over, admin)).toBe(ESCALATION);
    expect(await put(name, over)).toBe('OK');
    expect(await put(name, { ...over, owner: 'another team' }, admin)).toBe('OK');
  });

  it('is nobody whom somebody weaker can become', async () => {
    await put('authority', OFFICE);
    expect([await become('authority', developer), await become('authority', admin), await join('authority', admin)]).toEqual(
      Array(3).fill(ESCALATION),
    );
    expect([await become('authority'), await join('authority')]).toEqual(['OK', 'OK']);
    await put('plain', { calls: ['ValidateToken'] });
    expect(await become('plain', developer)).toBe('OK');
  });
});

describe('a call in an entry', () => {
  it('means one method: another service’s method of that name asks for no entry', () => {
    const guarded = [...hub.app.invoker.routes.values()].filter(({ row }) => row.access !== 'anonymous');
    const shared = Map.groupBy(guarded, ({ method }) => method);
    expect([...shared].flatMap(([name, routes]) => (routes.length > 1 ? [name] : []))).toEqual([]);
    expect([...hub.app.invoker.routes.keys()].filter((path) => path.endsWith('/Check'))).toEqual([
      '/envoy.service.auth.v3.Authorization/Check',
      '/grpc.health.v1.Health/Check',
    ]);
  });
});

describe('a workload that may do more than its editor', () => {
  it('gets no further calls from him', async () => {
    const entryOf = (calls: string[]) => ({ calls, permissions: ['*:*'] });
    await put('strong', entryOf(['ValidateToken']));
    expect(await put('strong', entryOf(['ValidateToken', 'AssignRole']), admin)).toBe(ESCALATION);
    expect(await put('strong', entryOf([]), admin)).toBe('OK');
    expect(await put('strong', entryOf(['AssignRole']), admin)).toBe(ESCALATION);
  });

  it('neither where its rights come from a role', async () => {
    await put('owner-by-role', { calls: ['ValidateToken'] });
    await hub.ask('AuthorizationService/AssignRole', { subject: { type: 'service', id: 'default/owner-by-role' }, role: 'owner' });
    expect(await put('owner-by-role', { calls: ['AssignRole'] }, admin)).toBe(ESCALATION);
  });
});

describe('what is only lent', () => {
  it('is used', async () => {
    expect(await hub.outcome('UserService/ListUsers', {}, borrower)).toBe('OK');
  });

  it.each<[string, () => Promise<string>, string]>([
    ['a workload', () => put('kept', { permissions: ['users:read'] }, borrower), 'PERMISSION_DENIED/PERMISSION_MISSING'],
    ['the identity of a service', () => put('mighty', { permissions: ['users:read'] }).then(() => become('mighty', borrower)), ESCALATION],
    [
      "the owner's password",
      async () => {
        const { users } = await hub.ask('UserService/ListUsers', {});
        const owner = (users as { readonly id: string; readonly username: string }[]).find(({ username }) => username === 'admin');
        return hub.outcome('UserService/SetPassword', { userId: owner?.id ?? '', newPassword: PASSWORD }, borrower);
      },
      'PERMISSION_DENIED/PERMISSION_MISSING',
    ],
    [
      'an issuer of tokens',
      () => {
        const issuer = {
          name: 'kept',
          issuer: 'https://kept.example',
          audiences: ['orders'],
          jwks: keysOf(keyPair('k')),
          mapping: { subjectKind: 'user' },
        };
        return hub.outcome('TrustedIssuerService/PutTrustedIssuer', { issuer }, borrower);
      },
      'PERMISSION_DENIED/PERMISSION_MISSING',
    ],
  ])('does not become %s, which would outlast the loan', async (_what, attempt, refusal) => {
    expect(await attempt()).toBe(refusal);
  });
});

const keysOf = (key: ReturnType<typeof keyPair>): string => JSON.stringify({ keys: [key.jwk] });

describe('an issuer whose subjects were given rights here', () => {
  const [theirs, mine] = [keyPair('theirs'), keyPair('mine')];
  const issuer = (key: typeof theirs) => ({ name: 'idp', issuer: 'https://idp.example', audiences: ['orders'], jwks: keysOf(key) });
  const register = (key: typeof theirs, credential?: string) =>
    hub.outcome('TrustedIssuerService/PutTrustedIssuer', { issuer: issuer(key) }, credential);
  const forged = (): string => {
    const now = Math.floor(Date.now() / 1000);
    return jwt(mine, { iss: 'https://idp.example', sub: 'boss', aud: 'orders', iat: now, exp: now + 300, jti: String(Math.random()) });
  };
  const validate = (token: string) =>
    hub.ask('SecurityHub/ValidateToken', { token, audience: 'orders', requiredPermissions: ['users:delete'] });

  it('gets no keys from somebody weaker where a policy names one of them', async () => {
    const named = { ...issuer(theirs), name: 'named', issuer: 'https://named.example' };
    const put = (key: typeof theirs, credential?: string) =>
      hub.outcome('TrustedIssuerService/PutTrustedIssuer', { issuer: { ...named, jwks: keysOf(key) } }, credential);
    expect(await put(theirs, admin)).toBe('OK');
    const policy = {
      apiVersion: 'securityhub/v1',
      kind: 'PrincipalPolicy',
      metadata: { name: 'named' },
      spec: { principals: ['user:named:boss'], rules: [{ name: 'reads', effect: 'allow', resource: 'audit', actions: ['read'] }] },
    };
    const sources = [{ name: 'named.json', content: JSON.stringify(policy) }];
    expect(await hub.outcome('AuthorizationService/ApplyPolicies', { sources, acknowledgeRisk: true })).toBe('OK');
    expect([await put(mine, admin), await put(mine)]).toEqual([ESCALATION, 'OK']);
  });

  it('gets no keys, and no namesake, from somebody weaker', async () => {
    expect(await register(theirs, admin)).toBe('OK');
    expect(await register(theirs, admin)).toBe('OK');
    await hub.ask('AuthorizationService/AssignRole', { subject: { type: 'user', id: 'idp:boss' }, role: 'owner' });
    expect(await register(mine, admin)).toBe(ESCALATION);
    await hub.ask('TrustedIssuerService/DeleteTrustedIssuer', { name: 'idp' }, admin);
    expect(await register(mine, admin)).toBe(ESCALATION);
    expect(await validate(forged())).toMatchObject({ valid: false });
    expect(await register(mine)).toBe('OK');
    expect(await validate(forged())).toMatchObject({ valid: true });
  });
});
