import { describe, expect, it } from '@jest/globals';
import { descriptors } from '../descriptors/registry.ts';
import { readJson } from './json.ts';

const reading = (method: string, body: string): string => {
  const input = descriptors().method(`securityhub.v1.${method}`)?.input;
  if (input === undefined) throw new Error(`no method ${method}`);
  try {
    readJson(input, body, descriptors());
    return 'fits';
  } catch (fault) {
    const { message, violations } = fault as { readonly message: string; readonly violations: readonly { readonly field: string }[] };
    expect(violations.map(({ field }) => field)).toEqual([message.split(': ', 1)[0] ?? '']);
    return message;
  }
};

describe('JSON that does not fit is told by its place', () => {
  it.each([
    ['a length without its unit', 'SecurityHub/ValidateToken', '{"grace": "1m"}', 'grace: must be seconds and an s, such as "1.5s"'],
    ['a length as a number', 'SecurityHub/ValidateToken', '{"maxStaleness": 5}', 'max_staleness: must be seconds and an s, such as "1.5s"'],
    [
      'a day for a time',
      'AuthorizationService/PutGrant',
      '{"expiresAt": "tomorrow"}',
      'expires_at: must be a time such as "2026-01-31T12:00:00Z"',
    ],
    [
      'a name that an enum does not have',
      'AuthorizationService/PutGrant',
      '{"effect": "allow"}',
      'effect: must be one of EFFECT_UNSPECIFIED, EFFECT_ALLOW, EFFECT_DENY, EFFECT_STEP_UP',
    ],
    ['text for an object', 'SecurityHub/CheckPermission', '{"resource": "users"}', 'resource: must be an object (securityhub.v1.Resource)'],
    [
      'a slip in an item of a list',
      'SecurityHub/BatchCheck',
      '{"checks": [{"action": "read"}, {"action": "read", "resource": {"typ": "users"}}]}',
      'checks[1].resource.typ: is not a field of securityhub.v1.Resource; did you mean type?',
    ],
    [
      'an item that is none',
      'SecurityHub/BatchCheck',
      '{"checks": [{}, 1]}',
      'checks[1]: must be an object (securityhub.v1.PermissionCheck)',
    ],
    [
      'a number deep down',
      'SecurityHub/Encrypt',
      '{"context": {"retentionDays": -1}}',
      'context.retention_days: expected number (uint32): -1 out of range',
    ],
    ['a map that is none', 'SecurityHub/Encrypt', '{"context": {"attributes": []}}', 'context.attributes: expected object, got Array(0)'],
    [
      'a choice made twice',
      'SecurityHub/CheckPermission',
      '{"token": "a", "subject": {}}',
      'principal: oneof set multiple times by token and subject',
    ],
    [
      'one field under two names',
      'SecurityHub/ValidateToken',
      '{"requiredScopes": [], "required_scopes": []}',
      'required_scopes: set multiple times',
    ],
  ])('%s', (_, method, body, message) => {
    expect(reading(method, body)).toBe(message);
  });

  it('a body that is no object has no place', () => {
    const input = descriptors().method('securityhub.v1.SecurityHub/ValidateToken')?.input;
    if (input === undefined) throw new Error('no such method');
    expect(() => readJson(input, '[]', descriptors())).toThrow(
      expect.objectContaining({ message: 'the body must be an object (securityhub.v1.ValidateTokenRequest)', violations: [] }),
    );
  });
});
