import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hours, minutes } from '../base/time.ts';
import { claimAt, foreignId, issuerNameOf, type Json, readForeign, speaksFor, workloadOf } from './claims.ts';
import type { ClaimMapping, TrustedIssuer } from './issuer.ts';

const AT = 1_800_000_000;
const MAPPING: ClaimMapping = {
  subjectKind: 'foreign_user',
  subjectClaim: '',
  rolesClaim: '',
  roles: {},
  defaultRoles: [],
  scopeClaim: '',
  clientClaim: '',
  sessionClaim: '',
  requiredClaims: {},
  mfaValues: [],
};
const trusted = (over: Partial<ClaimMapping> = {}, entry: Partial<TrustedIssuer> = {}): TrustedIssuer => ({
  tenantId: 'acme',
  name: 'idp',
  issuer: 'https://idp.example',
  jwksUri: '',
  discoveryUri: '',
  jwks: '',
  caCertificates: '',
  algorithms: ['ES256'],
  audiences: ['orders'],
  mapping: { ...MAPPING, ...over },
  maxAge: 0,
  createdAt: 0,
  updatedAt: 0,
  ...entry,
});
const NOTHING = { x5tS256: '', spkiSha256: '', spiffeId: '', jkt: '', other: true };
const read = (payload: Json, issuer = trusted()) => {
  const base = { iss: 'https://idp.example', sub: 'anna', aud: 'orders', iat: AT, exp: AT + 300 };
  return readForeign({ ...base, ...payload }, issuer, { longest: hours(1), digest: 'd', confirmation: () => NOTHING });
};

describe('a claim', () => {
  const payload = { 'https://x/y': 1, a: { 'b/c': { '~': 2 } }, list: [{ z: 3 }] };
  it.each<[string, unknown]>([
    ['https://x/y', 1],
    ['/a/b~1c/~0', 2],
    ['/a/nothing', undefined],
    ['/list/0/z', undefined],
    ['/__proto__/toString', undefined],
    ['constructor', undefined],
    ['/', undefined],
  ])('named %s is %j', (name, value) => expect(claimAt(payload, name)).toBe(value));
});

describe('roles', () => {
  const mapping = {
    rolesClaim: '/realm_access/roles',
    roles: { staff: 'member', boss: 'manager', also: 'member' },
    defaultRoles: ['viewer'],
  };
  it.each<[string, Json, string[]]>([
    ['of a list', { realm_access: { roles: ['boss', 'staff', 'also', 'other'] } }, ['manager', 'member', 'viewer']],
    ['of words', { realm_access: { roles: 'boss other' } }, ['manager', 'viewer']],
    ['named like members of every object', { realm_access: { roles: ['__proto__', 'constructor', 'toString'] } }, ['viewer']],
    ['of numbers and objects', { realm_access: { roles: [1, { staff: true }, null] } }, ['viewer']],
    ['that are missing', {}, ['viewer']],
    ['in the wrong place', { roles: ['boss'] }, ['viewer']],
  ])('%s', (_, payload, roles) => expect(read(payload, trusted(mapping))).toMatchObject({ roles }));

  it('are never any that the registration does not name', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const claims = read({ realm_access: { roles: value } }, trusted(mapping));
        if ('reason' in claims) return;
        for (const role of claims.roles ?? []) expect(['member', 'manager', 'viewer']).toContain(role);
      }),
    );
  });
});

describe('scopes', () => {
  it.each<[Json, string[]]>([
    [{ scope: 'openid profile email' }, []],
    [{ scope: 'openid orders:read' }, ['openid', 'orders:read']],
    [{ scp: ['orders:read', 'orders:write'] }, ['orders:read', 'orders:write']],
    [{}, []],
  ])('%j are %j', (payload, scopes) => expect(read(payload)).toMatchObject({ scopes }));
});

describe('ids', () => {
  it('begin with the issuer’s name, and never look like ours', () => {
    const claims = read({ sub: 'usr_anna', jti: 'fam_1.1', sid: 'ses_1', azp: 'web' });
    expect(claims).toMatchObject({ subject: 'idp:usr_anna', tokenId: 'idp:fam_1.1', sessionId: 'idp:ses_1', clientId: 'idp:web' });
  });

  it('fit into a change’s key, however long they were, and stay apart', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 1024 }), fc.string({ minLength: 1, maxLength: 1024 }), (a, b) => {
        const [one, two] = [foreignId('x'.repeat(32), a), foreignId('x'.repeat(32), b)];
        expect(one.length).toBeLessThanOrEqual(256);
        expect(issuerNameOf(one)).toBe('x'.repeat(32));
        if (!a.startsWith('sha256.') && !b.startsWith('sha256.')) expect(one === two).toBe(a === b);
      }),
    );
  });

  it.each<[string, string | null]>([
    ['system:serviceaccount:shop:cart', 'shop/cart'],
    ['spiffe://prod.example/ns/shop/sa/cart', 'shop/cart'],
    ['shop/cart', 'shop/cart'],
    ['system:serviceaccount:shop:cart/../admin', null],
    ['system:serviceaccount:Shop:cart', null],
    ['spiffe://prod.example/ns/shop/sa/cart/extra', null],
    ['spiffe://prod.example/ns//sa/cart', null],
    ['shop/cart/x', null],
    ['shop', null],
    ['', null],
  ])('of a workload: %s is %j', (subject, id) => expect(workloadOf(subject)?.id ?? null).toBe(id));
});

describe('whose token it is', () => {
  it.each<[string, Json, boolean]>([
    ['https://idp.example', { iss: 'https://idp.example' }, true],
    ['https://idp.example', { iss: 'https://idp.example/' }, false],
    ['https://idp.example', { iss: ['https://idp.example'] }, false],
    ['https://idp.example', {}, false],
    ['spiffe://a.example', { sub: 'spiffe://a.example/x' }, true],
    ['spiffe://a.example', { sub: 'spiffe://a.example' }, false],
    ['spiffe://a.example', { sub: 'spiffe://a.example.evil/x' }, false],
    ['spiffe://a.example', { iss: 'spiffe://a.example', sub: 'x' }, false],
  ])('under %s: %j is %s', (issuer, payload, expected) => expect(speaksFor({ issuer }, payload)).toBe(expected));
});

describe('its end', () => {
  it.each<[string, number, Partial<TrustedIssuer>, number]>([
    ['is its exp', 300, {}, 300],
    ['is never beyond what revocations are remembered for', 86_400, {}, 3600],
    ['is the registration’s, where that is sooner', 3600, { maxAge: minutes(5) }, 300],
    ['is not moved by a registration that allows more', 300, { maxAge: hours(12) }, 300],
  ])('%s', (_, life, entry, counts) => {
    expect(read({ exp: AT + life }, trusted({}, entry))).toMatchObject({ expiresAt: (AT + counts) * 1000 });
  });

  it('may be a fraction of a second, as some issuers write', () => {
    expect(read({ iat: AT + 0.5, exp: AT + 1.25 })).toMatchObject({ issuedAt: AT * 1000 + 500, expiresAt: AT * 1000 + 1250 });
  });
});

describe('the second factor', () => {
  it.each<[string[], Json, boolean]>([
    [[], { amr: ['pwd', 'mfa'] }, true],
    [[], { acr: '2' }, false],
    [['2', 'hwk'], { acr: '2' }, true],
    [['2', 'hwk'], { amr: ['hwk'] }, true],
    [['2', 'hwk'], { amr: ['mfa'] }, false],
  ])('by %j: %j is %s', (mfaValues, payload, mfaVerified) => expect(read(payload, trusted({ mfaValues }))).toMatchObject({ mfaVerified }));
});

describe('whatever somebody signs', () => {
  it('is read without throwing, and never speaks for another tenant', () => {
    const names = ['iss', 'sub', 'aud', 'iat', 'exp', 'nbf', 'jti', 'sid', 'azp', 'scope', 'acr', 'amr', 'cnf', 'typ', 'tenant_id'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), fc.jsonValue()), (payload) => {
        const claims = read(payload);
        if ('reason' in claims) expect(claims.reason).toMatch(/^[A-Z_]+$/);
        else expect([claims.tenantId, claims.subject.startsWith('idp:')]).toEqual(['acme', true]);
      }),
    );
  });
});
