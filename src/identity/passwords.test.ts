import { afterAll, describe, expect, it } from '@jest/globals';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/time.ts';
import { createPasswordThreads } from './passwords.worker.ts';

const cheap = { memory: 8192, passes: 1, lanes: 1 };
const base = { threads: 1, queue: 2, clock: systemClock, random: systemRandom };
const passwords = createPasswordThreads({ ...base, parameters: cheap });
const soon = (): number => Date.now() + 20_000;
const reason = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (fault: { reason: string }) => fault.reason,
  );

afterAll(() => passwords.close());

describe('hashing passwords on threads', () => {
  it('knows the password it hashed and no other', async () => {
    const record = await passwords.hash('correct horse battery', soon());
    expect(await passwords.verify(record, 'correct horse battery', soon())).toBe(true);
    expect(await passwords.verify(record, 'correct horse batterz', soon())).toBe(false);
  });

  it('says no without a record, after one hash', async () => {
    const before = passwords.evaluated;
    expect(await passwords.verify(null, 'correct horse battery', soon())).toBe(false);
    expect(passwords.evaluated).toBe(before + 1);
  });

  it('verifies a record of other parameters and calls it outdated', async () => {
    const stronger = createPasswordThreads({ ...base, parameters: { memory: 8192, passes: 2, lanes: 1 } });
    const record = await passwords.hash('correct horse battery', soon());
    expect(await stronger.verify(record, 'correct horse battery', soon())).toBe(true);
    expect([stronger.outdated(record), passwords.outdated(record)]).toEqual([true, false]);
    await stronger.close();
  });

  it('refuses what finds the queue full', async () => {
    const asked = Array.from({ length: 6 }, () => reason(passwords.verify(null, 'x', soon())));
    expect((await Promise.all(asked)).toSorted()).toEqual(['LOGIN_BUSY', 'LOGIN_BUSY', 'LOGIN_BUSY', 'done', 'done', 'done']);
  });

  it('does not hash for somebody who has gone', async () => {
    const before = passwords.evaluated;
    expect(await reason(passwords.verify(null, 'x', Date.now() - 1))).toBe('DEADLINE_EXCEEDED');
    expect(passwords.evaluated).toBe(before);
  });

  it('leaves the event loop free', async () => {
    const heavy = createPasswordThreads({ ...base, parameters: { memory: 65536, passes: 4, lanes: 1 } });
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 2);
    await heavy.verify(null, 'x', soon());
    clearInterval(timer);
    await heavy.close();
    expect(ticks).toBeGreaterThan(5);
  });

  it('refuses after it was closed', async () => {
    const gone = createPasswordThreads({ ...base, parameters: cheap });
    await gone.close();
    expect(await reason(gone.verify(null, 'x', soon()))).toBe('LOGIN_UNAVAILABLE');
  });
});
