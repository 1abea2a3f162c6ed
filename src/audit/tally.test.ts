import { describe, expect, it } from '@jest/globals';
import type { AuditEntry } from '../base/event.ts';
import { createTally, type Tally } from './tally.ts';

const entry = (reason: string, tenantId = 'acme'): AuditEntry => ({
  tenantId,
  type: 'call.refused',
  actor: { type: 'user', id: 'usr_1', tenantId },
  resource: '',
  action: 'refused',
  result: 'failure',
  reason,
  level: 'warning',
  method: '',
  ipAddress: '',
  sessionId: '',
  requestId: '',
  details: {},
});
const tally = (capacity = 10): Tally => createTally({ capacity, window: 10_000, other: (e) => entry('OTHER', e.tenantId) });
const add = (events: Tally, one: AuditEntry, now: number): void => events.add(`${one.tenantId} ${one.reason}`, () => one, now);
const seen = (counted: readonly { entry: AuditEntry; count: number }[]): string[] =>
  counted.map((one) => `${one.entry.tenantId} ${one.entry.reason} ${one.count}`);

describe('a tally', () => {
  it('gives the first of a kind at once', () => {
    const events = tally();
    add(events, entry('A'), 1000);
    expect(seen(events.take(1000, 100))).toEqual(['acme A 1']);
  });
  it('gives repetitions once a window, as one', () => {
    const events = tally();
    add(events, entry('A'), 1000);
    events.take(1000, 100);
    for (let i = 0; i < 500; i += 1) add(events, entry('A'), 2000 + i);
    expect(events.take(9000, 100)).toEqual([]);
    expect(events.take(11_000, 100)).toMatchObject([{ count: 500, since: 2000 }]);
  });
  it('forgets a kind that was quiet for a window', () => {
    const events = tally();
    add(events, entry('A'), 1000);
    events.take(1000, 100);
    expect(events.take(11_000, 100)).toEqual([]);
    expect(events.size).toBe(0);
  });
  it('gives a kind at once that came back after a quiet window', () => {
    const events = tally();
    add(events, entry('A'), 1000);
    events.take(1000, 100);
    events.take(11_000, 100);
    add(events, entry('A'), 11_001);
    expect(seen(events.take(11_001, 100))).toEqual(['acme A 1']);
  });
  it('has room again for kinds it has never seen once the others are written', () => {
    const events = tally(2);
    for (let i = 0; i < 20; i += 2) {
      for (const reason of [`R${i}`, `R${i + 1}`]) add(events, entry(reason), 1000);
      expect(seen(events.take(1000, 100))).toEqual([`acme R${i} 1`, `acme R${i + 1} 1`]);
    }
    expect(events.size).toBeLessThanOrEqual(4);
  });
  it('counts what finds no room under other, one a tenant, and loses nothing', () => {
    const events = tally(2);
    for (let i = 0; i < 100; i += 1) add(events, entry(`R${i}`, i % 2 === 0 ? 'acme' : 'globex'), 1000);
    expect(seen(events.take(20_000, 100))).toEqual(['acme R0 1', 'globex R1 1', 'acme OTHER 49', 'globex OTHER 49']);
  });
  it('stays bounded under endless tenants', () => {
    const events = tally(2);
    for (let i = 0; i < 5000; i += 1) add(events, entry('A', `t${i}`), 1000);
    expect(events.size).toBeLessThanOrEqual(1003);
    expect(events.takeAll().reduce((sum, one) => sum + one.count, 0)).toBe(5000);
  });
  it('takes no more than asked for', () => {
    const events = tally();
    for (let i = 0; i < 5; i += 1) add(events, entry(`R${i}`), 1000);
    expect(events.take(1000, 3)).toHaveLength(3);
    expect(events.take(1000, 3)).toHaveLength(2);
  });
  it('gives again at once what a failed write put back, together with what came meanwhile', () => {
    const events = tally();
    for (let i = 0; i < 3; i += 1) add(events, entry('A'), 1000);
    const taken = events.take(1000, 100);
    for (let i = 0; i < 2; i += 1) add(events, entry('A'), 1500);
    events.putBack(taken);
    expect(events.take(2000, 100)).toMatchObject([{ count: 5, since: 1000 }]);
  });
  it('gives everything at the end, due or not', () => {
    const events = tally();
    add(events, entry('A'), 1000);
    events.take(1000, 100);
    for (let i = 0; i < 4; i += 1) add(events, entry('A'), 2000);
    expect(seen(events.takeAll())).toEqual(['acme A 4']);
  });
});
