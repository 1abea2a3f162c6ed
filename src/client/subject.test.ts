import { describe, expect, it } from '@jest/globals';
import { Fault } from '../base/fault.ts';
import { ValidateTokenResponse } from '../gen/securityhub/v1/security_hub.ts';
import { Claims, LiveSubject } from '../gen/securityhub/v1/token.ts';
import type { Principal } from './guard.ts';
import { hasPermission, hasRole, isActive } from './subject.ts';

const principal = (live: Partial<LiveSubject> | null, over: Partial<Principal> = {}): Principal => ({
  type: 'user',
  id: 'usr_1',
  tenantId: 'acme',
  scopes: [],
  claims: Claims.fromPartial({}),
  live: live === null ? undefined : LiveSubject.fromPartial({ status: 'active', ...live }),
  verdict: ValidateTokenResponse.fromPartial({ valid: true }),
  ...over,
});
const reasonOf = (work: () => unknown): string => {
  try {
    return String(work());
  } catch (thrown) {
    return thrown instanceof Fault ? thrown.reason : 'no fault';
  }
};

describe('hasPermission', () => {
  it.each([
    [['orders:read'], 'orders:read', true],
    [['orders:read'], 'orders:write', false],
    [['orders:*'], 'orders:write', true],
    [['*:read'], 'orders:read', true],
    [['*'], 'orders:write', true],
    [['orders:read'], 'orders:*', false],
    [['*'], 'installation:tenants', false],
    [[], 'orders:read', false],
  ])('of %j about %s is %s', (permissions, wanted, answer) => {
    expect(hasPermission(principal({ permissions }), wanted)).toBe(answer);
  });

  it('refuses what is no permission, so that a slip is seen', () => {
    expect(reasonOf(() => hasPermission(principal({ permissions: ['*'] }), 'read orders'))).toBe('REQUEST_INVALID');
  });
});

describe('hasRole', () => {
  it('knows the roles by name', () => {
    const clerk = principal({ roles: ['clerk'] });
    expect([hasRole(clerk, 'clerk'), hasRole(clerk, 'admin')]).toEqual([true, false]);
  });
});

it('a verdict of local mode knows no rights, and says whom to ask', () => {
  const local = principal(null);
  expect([reasonOf(() => hasPermission(local, 'orders:read')), reasonOf(() => hasRole(local, 'clerk'))]).toEqual([
    'RIGHTS_UNKNOWN',
    'RIGHTS_UNKNOWN',
  ]);
});

describe('isActive', () => {
  it.each([
    ['an active user', principal({ status: 'active' }), true],
    ['a suspended user', principal({ status: 'suspended' }), false],
    ['a user judged in local mode', principal(null), true],
    ['a service', principal({ status: 'unknown' }, { type: 'service' }), true],
    ['nobody whose verdict is bad', principal({}, { verdict: ValidateTokenResponse.fromPartial({}) }), false],
  ])('of %s', (_, one, answer) => {
    expect(isActive(one)).toBe(answer);
  });
});
