import { describe, expect, it } from '@jest/globals';
import type { Call } from '../../base/call.ts';
import { Fault } from '../../base/fault.ts';
import { BatchCheckRequest } from '../../gen/securityhub/v1/security_hub.ts';
import { createCallPrincipals } from './principals.ts';
import type { Asker } from '../principal/asker.ts';
import type { Named } from '../principal/principal.ts';

const named = (): Named => ({ tenantId: 'acme', ruling: { allowed: false, code: 'SIGNATURE_INVALID', reason: '', rules: [] } });
const asked = (count: number) =>
  BatchCheckRequest.fromPartial({
    checks: Array.from({ length: count }, (_, at) => ({ id: String(at), principal: { $case: 'token', value: `token ${at}` } })),
  });
const asker = {} as Asker;
const call = {} as Call;

const busy = (ms: number): void => {
  for (const end = performance.now() + ms; performance.now() < end; );
};

describe('the principals of a batch', () => {
  it('let others have their turn while many of them are proved', async () => {
    let turns = 0;
    let over = false;
    const turn = (): void => {
      turns += 1;
      if (!over) setImmediate(turn);
    };
    setImmediate(turn);
    const slotted = await createCallPrincipals({ name: () => (busy(0.5), named()) })(asked(100), asker, call);
    over = true;
    expect(slotted.slots).toEqual(Array.from({ length: 100 }, (_, at) => at));
    expect(slotted.names).toHaveLength(100);
    // 50 ms of work in slices of little more than two.
    expect(turns).toBeGreaterThan(8);
  });

  it('answer at once where little is to be done', () => {
    expect(createCallPrincipals({ name: named })(asked(3), asker, call)).toMatchObject({ slots: [0, 1, 2] });
  });

  it('are looked up a few dozen at a time, so that a long batch does not keep every connection to itself', async () => {
    let [running, most] = [0, 0];
    const name = async (): Promise<Named> => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return named();
    };
    const { names } = await createCallPrincipals({ name })(asked(1000), asker, call);
    await Promise.all(names.map(async (one) => one));
    expect({ count: names.length, most }).toEqual({ count: 1000, most: 64 });
  });

  it('fail together, without asking for the rest, when a store is away', async () => {
    let count = 0;
    const name = (): Promise<Named> => {
      count += 1;
      return Promise.reject(new Fault('UNAVAILABLE', 'STORE_UNAVAILABLE', 'away'));
    };
    await expect(async () => createCallPrincipals({ name })(asked(1000), asker, call)).rejects.toMatchObject({
      reason: 'STORE_UNAVAILABLE',
    });
    expect(count).toBe(64);
  });

  it('leave no failed look-up unheard when a later one fails at once', async () => {
    const unavailable = new Fault('UNAVAILABLE', 'STORE_UNAVAILABLE', 'away');
    const unheard: unknown[] = [];
    const listen = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', listen);
    let count = 0;
    const name = (): Promise<Named> => {
      count += 1;
      if (count > 1) throw unavailable;
      return Promise.reject(unavailable);
    };
    expect(() => createCallPrincipals({ name })(asked(2), asker, call)).toThrow(unavailable);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', listen);
    expect(unheard).toEqual([]);
  });
});
