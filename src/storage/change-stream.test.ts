import { describe, expect, it } from '@jest/globals';
import { decodePublished, encodePublished } from './change-stream.ts';
import type { AppliedChange } from './storage.ts';

const change: AppliedChange = { seq: 7, kind: 'token', tenantId: 'acme', key: 'tok_1', until: 12, detail: 'logout' };

describe('a published change', () => {
  it('comes out as it went in', () => {
    const published = { generation: 2, changes: [change, { ...change, seq: 8, until: null }] };
    expect(decodePublished(encodePublished(published))).toEqual(published);
  });

  it.each(['', '{}', '[]', '["1"]', '[1.5]', 'null', '[1', '{"0":1}'])('is not %s', (text) => {
    expect(decodePublished(text)).toBeNull();
  });

  it.each([
    ['of unknown kind', [7, 'hologram', 'acme', 'k', null, '']],
    ['without number', ['7', 'token', 'acme', 'k', null, '']],
    ['with a key beyond bounds', [7, 'token', 'acme', 'k'.repeat(257), null, '']],
    ['with a time that is none', [7, 'token', 'acme', 'k', 'soon', '']],
    ['that is no list', 7],
  ])('%s is left to the poll', (_what, row) => {
    expect(decodePublished(JSON.stringify([1, row]))).toEqual({ generation: 1, changes: [] });
  });
});
