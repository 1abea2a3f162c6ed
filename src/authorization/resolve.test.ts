import { describe, expect, it } from '@jest/globals';
import { createResolve } from './resolve.ts';
import type { Rights } from './rights.ts';
import type { SubjectRows } from './subject.ts';
import { buildSnapshot } from './snapshot.ts';

const snapshot = buildSnapshot({ tenantId: 'acme', roles: [], types: [] });

const rowsOf = (id: string, role: string): SubjectRows => ({
  subject: { type: 'user', id },
  assignments: [{ role, notBefore: null, expiresAt: null }],
  grants: [],
  memberships: [],
  delegations: [],
  clearance: null,
});

/** Rights by a cache in which nothing ever stays, as where far more subjects are asked about than it has room for. */
const setUp = () => {
  let applied = 0;
  let role = 'viewer';
  const asked: string[] = [];
  let onRead: (id: string) => void = () => {};
  const resolve = createResolve({
    snapshots: { get: () => snapshot },
    subjects: {
      get: async (_, key) => {
        const id = key.slice('user:'.length);
        asked.push(id);
        const rows = rowsOf(id, role);
        await Promise.resolve();
        onRead(id);
        return rows;
      },
    },
    cursor: () => applied,
    applied: () => applied,
    acts: () => true,
  });
  return {
    asked,
    rolesOf: async (ids: readonly string[]) => {
      const wanted = ids.map((id) => ({ tenantId: 'acme', subject: { type: 'user', id } }));
      return (await resolve(wanted, 0)).map(({ roles }: Rights) => roles.join());
    },
    /** Of everybody, once this one has been read so many times. */
    changeAfter: (reads: number, id: string, to: string) => {
      let left = reads;
      onRead = (read) => {
        if (read !== id || --left !== 0) return;
        role = to;
        applied += 1;
      };
    },
  };
};

describe('rights of many', () => {
  it('come together where the cache has no room for them', async () => {
    const { rolesOf, asked } = setUp();
    const ids = Array.from({ length: 3000 }, (_, at) => `u${at}`);
    expect(await rolesOf(ids)).toEqual(ids.map(() => 'viewer'));
    expect(asked.length).toBeLessThanOrEqual(ids.length + 1024);
  });

  it('are all of the time after a change that came while they were read', async () => {
    const { rolesOf, changeAfter } = setUp();
    changeAfter(2, 'b', 'member');
    expect(await rolesOf(['a', 'b', 'c'])).toEqual(['member', 'member', 'member']);
  });
});
