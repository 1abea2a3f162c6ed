// Paths into decoded requests.
import { describe, expect, it } from '@jest/globals';
import { pathOf } from './paths.ts';

const here = (value: unknown): boolean => value === '!';

describe('the path of a value', () => {
  it.each<[unknown, string | null]>([
    ['!', ''],
    [{ tenantId: '!' }, 'tenant_id'],
    [{ checks: [{}, { resource: { ownerId: '!' } }] }, 'checks[1].resource.owner_id'],
    [{ principal: { $case: 'subject', value: { sessionId: '!' } } }, 'subject.session_id'],
    [{ principal: { $case: 'token', value: '!' } }, 'token'],
    [{ name: undefined, list: [null, 1], bytes: Buffer.from('!') }, null],
    [undefined, null],
  ])('%j is %j', (request, path) => expect(pathOf(request, here)).toBe(path));
});
