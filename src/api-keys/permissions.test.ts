import { describe, expect, it } from '@jest/globals';
import { covers, effectivePermissions, isPermission, keyHolds } from './permissions.ts';

const owner = (permissions: readonly string[], denied: readonly string[] = []) => ({
  permissions,
  holds: (asked: string) => !denied.includes(asked) && permissions.some((held) => covers(held, asked)),
});

describe('what a key may do', () => {
  const cases = [
    { key: ['users:read'], owner: ['users:read', 'users:write'], result: ['users:read'] },
    { key: ['users:read', 'config:read'], owner: ['users:read'], result: ['users:read'] },
    { key: ['users:*'], owner: ['users:read'], result: ['users:read'] },
    { key: ['users:read'], owner: ['users:*'], result: ['users:read'] },
    { key: ['*:read'], owner: ['users:*', 'config:write'], result: ['users:read'] },
    { key: ['*:*'], owner: ['users:*'], result: ['users:*'] },
    { key: ['*:*'], owner: ['*:*'], result: ['*:*'] },
    { key: [], owner: ['*:*'], result: [] },
    { key: ['users:read'], owner: [], result: [] },
    { key: ['*:*'], owner: ['installation:tenants'], result: [] },
    { key: ['installation:tenants'], owner: ['*:*'], result: [] },
    { key: ['installation:*'], owner: ['installation:tenants'], result: [] },
    { key: ['installation:tenants'], owner: ['installation:tenants'], result: ['installation:tenants'] },
  ];
  it.each(cases)('lists $key, its owner holds $owner → $result', ({ key, owner: held, result }) => {
    expect(effectivePermissions(key, owner(held))).toEqual(result);
  });

  it('ends where the owner is denied, wildcard or not', () => {
    const denied = owner(['users:*'], ['users:delete']);
    expect(effectivePermissions(['users:delete', 'users:read'], denied)).toEqual(['users:read']);
    expect(keyHolds(['*:*'], denied, 'users:delete')).toBe(false);
    expect(keyHolds(['*:*'], denied, 'users:read')).toBe(true);
    expect(keyHolds(['config:*'], denied, 'users:read')).toBe(false);
  });
});

describe('a permission', () => {
  it.each(['users:read', '*:*', '*:read', 'users:*', 'encryption_key:decrypt', 'shop.orders:read'])('may be %s', (text) =>
    expect(isPermission(text)).toBe(true),
  );
  it.each([
    '',
    'users',
    'users:',
    ':read',
    'Users:read',
    'users:re ad',
    'u*:read',
    'a:b:c',
    'installation:*',
    '*',
    `${'a'.repeat(65)}:read`,
  ])('is not %j', (text) => expect(isPermission(text)).toBe(false));
});
