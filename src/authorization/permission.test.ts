import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { findSlowly, patternSet } from './pattern-set.ts';
import { covers, meets, parsePermission, printPermission } from './permission.ts';

const side = fc.constantFrom('*', 'a', 'b', 'installation');
const permission = fc.record({ type: side, action: fc.constantFrom('*', 'x', 'y', 'tenants') });
const concrete = fc.record({ type: fc.constantFrom('a', 'b', 'installation'), action: fc.constantFrom('x', 'y', 'tenants') });

describe('a permission', () => {
  for (const text of ['users:read', '*:read', 'users:*', '*:*', 'api_keys:read', 'my.type-1:do_it', 'installation:tenants'])
    it(`is read from ${text} and printed the same`, () => {
      const parsed = parsePermission(text);
      expect(parsed && printPermission(parsed)).toBe(text);
    });

  it('is everything when it is a lone star', () => expect(parsePermission('*')).toEqual({ type: '*', action: '*' }));

  for (const text of [
    '',
    'users',
    'users:',
    ':read',
    'Users:read',
    'users:read:x',
    'users :read',
    '**:read',
    'us*:read',
    'installation:*',
    `${'a'.repeat(129)}:x`,
  ])
    it(`is refused as ${JSON.stringify(text.slice(0, 20))}`, () => expect(parsePermission(text)).toBeNull());
});

describe('covering', () => {
  it('goes from the wider to the narrower only', () => {
    const wide = { type: 'users', action: '*' };
    const narrow = { type: 'users', action: 'read' };
    expect([covers(wide, narrow), covers(narrow, wide)]).toEqual([true, false]);
  });

  it('never reaches the installation by a wildcard', () => {
    fc.assert(
      fc.property(permission, (held) => {
        const wanted = { type: 'installation', action: 'tenants' };
        expect(covers(held, wanted)).toBe(held.type === 'installation' && held.action === 'tenants');
      }),
    );
  });

  it('means that the two have something in common', () => {
    fc.assert(fc.property(permission, permission, (held, wanted) => !covers(held, wanted) || meets(held, wanted)));
  });
});

describe('a set of patterns', () => {
  const valid = permission.filter((p) => parsePermission(printPermission(p)) !== null);
  const entries = fc
    .uniqueArray(valid, { selector: printPermission })
    .map((list) => list.map((each) => ({ permission: each, value: printPermission(each) })));

  it('finds exactly what the list would find, concrete or not', () => {
    fc.assert(
      fc.property(entries, fc.oneof(valid, concrete), (list, wanted) => {
        const found = patternSet(list).find(wanted.type, wanted.action);
        expect(found !== undefined).toBe(findSlowly(list, wanted) !== undefined);
      }),
    );
  });

  it('meets exactly what the list would meet', () => {
    fc.assert(
      fc.property(entries, valid, (list, wanted) => {
        expect(patternSet(list).meeting(wanted) !== undefined).toBe(list.some((entry) => meets(entry.permission, wanted)));
      }),
    );
  });
});
