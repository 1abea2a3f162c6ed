import { describe, expect, it } from '@jest/globals';
import { userCaller, workloadCaller, workloadEntry } from '../../test/callers.ts';
import type { Caller, WorkloadEntry } from '../base/caller.ts';
import { NOTHING_SHOWN, type Shown } from '../base/possession.ts';
import { audienceFits, audienceRule, type Credential, type Presenter, useProblems, type Wanted } from './verdict.ts';

const workload = (over: Partial<WorkloadEntry>): Caller => workloadCaller(workloadEntry({ audiences: ['orders', 'orders-v2'], ...over }));
const unregistered: Caller = {
  kind: 'workload',
  tenantId: 'acme',
  spiffeId: 'spiffe://test/ns/shop/sa/orders',
  namespace: 'shop',
  name: 'orders',
  entry: null,
};
const user = userCaller('acme', 'usr_1');

describe('the audience rule', () => {
  it.each([
    ['a workload that names nobody', workload({}), '', ['orders'], true],
    ['a workload that names nobody, for another', workload({}), '', ['billing'], false],
    ['a workload that names one of its own', workload({}), 'orders-v2', ['orders-v2', 'billing'], true],
    ['a workload that names one of its own, for its other', workload({}), 'orders-v2', ['orders'], false],
    ['a workload with no audiences', workload({ audiences: [] }), '', ['orders'], false],
    ['a workload that nobody registered', unregistered, '', ['orders'], false],
    ['a gateway that names nobody', workload({ anyAudience: true }), '', ['billing'], true],
    ['a gateway that names somebody', workload({ anyAudience: true }), 'billing', ['orders'], false],
    ['a user who names nobody', user, '', ['billing'], true],
    ['a user who names somebody', user, 'orders', ['billing'], false],
    ['anybody, of a credential without audience', workload({}), 'orders', null, true],
  ] as const)('for %s', (_, caller, named, audience, fits) => {
    expect(audienceFits(audienceRule(caller, named), audience)).toBe(fits);
  });

  it('takes a name that is not registered for the caller as its mistake', () => {
    expect(() => audienceRule(workload({}), 'billing')).toThrow(
      expect.objectContaining({ code: 'PERMISSION_DENIED', reason: 'AUDIENCE_FORBIDDEN' }),
    );
  });
});

const credential: Credential = {
  tenantId: 'acme',
  subject: 'usr_1',
  audience: ['orders'],
  scopes: [],
  confirmation: null,
  ipAddress: '',
  deviceId: '',
  fingerprint: '',
  riskLevel: 'low',
  expiresAt: null,
};
const presenter: Presenter = { shown: NOTHING_SHOWN, badProof: null, address: '192.0.2.1', deviceId: '', fingerprint: '', believed: false };
const showing = (shown: Partial<Shown>): Partial<Presenter> => ({ shown: { ...NOTHING_SHOWN, ...shown } });
const nothing: Wanted = { permissions: [], scopes: [] };
const all = { holds: () => true };
const bound = (over: Partial<NonNullable<Credential['confirmation']>>): Partial<Credential> => ({
  confirmation: { x5tS256: '', spkiSha256: '', spiffeId: '', jkt: '', other: false, ...over },
});
const codes = (
  over: Partial<Credential>,
  by: Partial<Presenter> = {},
  wanted: Partial<Wanted> = {},
  rights: { holds(permission: string): boolean } = all,
) =>
  useProblems({ ...credential, ...over }, { ...presenter, ...by }, { ...nothing, ...wanted }, rights)?.map((problem) => problem.code) ?? [];

describe('the use of a credential', () => {
  it('is nobody else’s than the bound key’s', () => {
    expect(codes(bound({ x5tS256: 'A' }), showing({ certificate: 'A' }))).toEqual([]);
    expect(codes(bound({ x5tS256: 'A' }), showing({ certificate: 'B' }))).toEqual(['BINDING_MISMATCH']);
    expect(codes(bound({ x5tS256: 'A' }))).toEqual(['BINDING_MISSING']);
    expect(codes(bound({ x5tS256: 'A', spkiSha256: 'S' }), showing({ certificate: 'A' }))).toEqual(['BINDING_MISSING']);
    expect(codes(bound({ x5tS256: 'A', spkiSha256: 'S' }), showing({ certificate: 'A', spki: 'T' }))).toEqual(['BINDING_MISMATCH']);
  });

  it('fails closed on a binding that cannot be checked', () => {
    expect(codes(bound({ jkt: 'K' }))).toEqual(['BINDING_MISSING']);
    expect(codes(bound({ other: true }), showing({ certificate: 'A' }))).toEqual(['BINDING_MISSING']);
  });

  it('is bound to a name that outlives its certificates, and to a key that was proven', () => {
    expect(codes(bound({ spiffeId: 'spiffe://a/b' }), showing({ certificate: 'A', spiffeId: 'spiffe://a/b' }))).toEqual([]);
    expect(codes(bound({ spiffeId: 'spiffe://a/b' }), showing({ certificate: 'A', spiffeId: 'spiffe://a/c' }))).toEqual([
      'BINDING_MISMATCH',
    ]);
    expect(codes(bound({ jkt: 'K' }), showing({ jkt: 'K' }))).toEqual([]);
    expect(codes(bound({ jkt: 'K' }), showing({ jkt: 'L' }))).toEqual(['BINDING_MISMATCH']);
    const badProof = { code: 'DPOP_PROOF_REPLAYED', message: '' };
    expect(codes(bound({ jkt: 'K' }), { badProof })).toEqual(['DPOP_PROOF_REPLAYED']);
    expect(codes(bound({ x5tS256: 'A' }), { ...showing({ certificate: 'A' }), badProof })).toEqual([]);
  });

  it('is bound to an address or a device where the token says so', () => {
    expect(codes({ ipAddress: '192.0.2.1' })).toEqual([]);
    expect(codes({ ipAddress: '192.0.2.2' })).toEqual(['IP_MISMATCH']);
    expect(codes({ deviceId: 'phone' }, { deviceId: 'laptop' })).toEqual(['DEVICE_MISMATCH']);
    expect(codes({ deviceId: 'phone' }, { deviceId: 'phone' })).toEqual([]);
  });

  it('needs every scope and every permission, held now and covered by the scopes', () => {
    const rights = { holds: (permission: string) => permission !== 'users:delete' };
    expect(codes({ scopes: ['users:*'] }, {}, { scopes: ['users:read'], permissions: ['users:read'] }, rights)).toEqual([]);
    expect(codes({ scopes: ['users:read'] }, {}, { scopes: ['users:read', 'users:write'] }, rights)).toEqual(['SCOPE_MISSING']);
    expect(codes({ scopes: ['users:read'] }, {}, { permissions: ['users:write'] }, rights)).toEqual(['PERMISSION_MISSING']);
    expect(codes({ scopes: [] }, {}, { permissions: ['users:write'] }, rights)).toEqual([]);
    expect(codes({ scopes: [] }, {}, { permissions: ['users:delete'] }, rights)).toEqual(['PERMISSION_MISSING']);
    expect(codes({ scopes: [] }, {}, { scopes: ['users:read'] }, rights)).toEqual(['SCOPE_MISSING']);
    expect(codes({ scopes: null }, {}, { scopes: ['users:read'] }, rights)).toEqual(['SCOPE_MISSING']);
  });

  it('names everything that is missing', () => {
    const problems = useProblems(
      { ...credential, ipAddress: '198.51.100.9' },
      presenter,
      { scopes: ['a:b'], permissions: ['c:d'] },
      { holds: () => false },
    );
    expect(problems?.map((problem) => problem.message)).toEqual([
      'the token is bound to another address',
      'the credential lacks a:b',
      'the subject may not c:d',
    ]);
  });
});
