import { describe, expect, it } from '@jest/globals';
import { unavailable } from '../base/fault.ts';
import { together } from './together.ts';

const setUp = (fails: (keys: readonly string[]) => Error | null = () => null) => {
  const loads: string[] = [];
  const load = together(async (tenantId, keys) => {
    loads.push(`${tenantId} ${keys.join(',')}`);
    const error = fails(keys);
    if (error !== null) throw error;
    return keys.map((key) => `${tenantId}/${key}`);
  });
  return { load, loads };
};

describe('loads of one turn', () => {
  it('go to the database together, and each gets its own', async () => {
    const { load, loads } = setUp();
    expect(await Promise.all([load('acme', 'a'), load('acme', 'b')])).toEqual(['acme/a', 'acme/b']);
    expect(loads).toEqual(['acme a,b']);
  });

  it('keep tenants apart', async () => {
    const { load, loads } = setUp();
    await Promise.all([load('acme', 'a'), load('other', 'a')]);
    expect(loads).toEqual(['acme a', 'other a']);
  });

  it('do not wait for those of the next', async () => {
    const { load, loads } = setUp();
    await load('acme', 'a');
    await load('acme', 'b');
    expect(loads).toEqual(['acme a', 'acme b']);
  });

  it('are split where they are too many for one statement', async () => {
    const { load, loads } = setUp();
    await Promise.all(Array.from({ length: 251 }, (_, at) => load('acme', String(at))));
    expect(loads.map((one) => one.split(',').length)).toEqual([250, 1]);
  });

  it('fail alone where only one of them cannot be read', async () => {
    const { load } = setUp((keys) => (keys.includes('bad') ? new Error('bad key') : null));
    const [good, bad] = await Promise.allSettled([load('acme', 'a'), load('acme', 'bad')]);
    expect(good).toEqual({ status: 'fulfilled', value: 'acme/a' });
    expect(bad?.status).toBe('rejected');
  });

  it('fail together while the database is away, without asking it again', async () => {
    const { load, loads } = setUp(() => unavailable('STORE_UNAVAILABLE', 'away'));
    const both = await Promise.allSettled([load('acme', 'a'), load('acme', 'b')]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(loads).toHaveLength(1);
  });
});
