import { describe, expect, it } from '@jest/globals';
import { scopeAllows, scopeCovers } from './scope.ts';

describe('scopes', () => {
  it.each([
    [[], 'users:read', true],
    [['users:read'], 'users:read', true],
    [['users:*'], 'users:read', true],
    [['*'], 'users:read', true],
    [['users:read'], 'users:write', false],
    [['user:*'], 'users:read', false],
    [[':*'], ':read', false],
    [['*:read'], 'users:read', false],
    [['users'], 'users:read', false],
  ])('cap: %j lets %s through: %s', (scopes, permission, expected) => {
    expect(scopeAllows(scopes, permission)).toBe(expected);
  });

  it('an empty list covers no required scope', () => {
    expect(scopeCovers([], 'users:read')).toBe(false);
  });
});
