import { describe, expect, it } from '@jest/globals';
import type { AppliedChange } from '../../storage/storage.ts';
import { createRevocationLog } from './revocation-log.ts';

const change = (seq: number, tenantId = 'acme'): AppliedChange => ({
  seq,
  kind: 'token',
  tenantId,
  key: `k${seq}`,
  until: seq * 1000,
  detail: `d${seq}`,
});

const newLog = (capacity: number) => {
  const encoded: AppliedChange[] = [];
  const log = createRevocationLog(capacity, (one) => {
    encoded.push(one);
    return Buffer.from(one.key);
  });
  const read = (position: number, above = 0, tenants = ['acme'], most = 100) => {
    const batch = log.read(position, new Set(tenants), above, most);
    return batch === null ? null : { keys: batch.parts.map(String), next: batch.next, complete: batch.complete };
  };
  return { log, read, encoded };
};

describe('the log of revocations', () => {
  it('tells all that it was told, as it was told, encoded once', () => {
    const { log, read, encoded } = newLog(4);
    log.add(change(1));
    log.add(change(2));
    expect(read(0)).toEqual({ keys: ['k1', 'k2'], next: 2, complete: true });
    expect(read(1)).toEqual({ keys: ['k2'], next: 2, complete: true });
    expect(encoded).toEqual([change(1), change(2)]);
  });

  it('keeps the newest, and says what has left: a reader behind it hears nothing', () => {
    const { log, read } = newLog(3);
    for (let seq = 1; seq <= 8; seq++) log.add(change(seq));
    expect([log.floor, log.start, log.end]).toEqual([5, 5, 8]);
    expect(read(4)).toBeNull();
    expect(read(5)).toEqual({ keys: ['k6', 'k7', 'k8'], next: 8, complete: true });
  });

  it('encodes anew what took the place of what has left', () => {
    const { log, read } = newLog(2);
    for (const seq of [1, 2]) log.add(change(seq));
    expect(read(0)?.keys).toEqual(['k1', 'k2']);
    log.add(change(3));
    expect(read(1)?.keys).toEqual(['k2', 'k3']);
  });

  it('is a log again after it was cleared, at positions that go on', () => {
    const { log, read } = newLog(3);
    for (let seq = 1; seq <= 5; seq++) log.add(change(seq));
    log.clear();
    expect([log.floor, log.start, log.end]).toEqual([0, 5, 5]);
    expect(read(4)).toBeNull();
    expect(read(5)).toEqual({ keys: [], next: 5, complete: true });
    for (let seq = 11; seq <= 14; seq++) log.add(change(seq));
    expect(log.floor).toBe(11);
    expect(read(6)).toEqual({ keys: ['k12', 'k13', 'k14'], next: 9, complete: true });
  });

  it('tells of these tenants and of the installation, above a number, so many at a time', () => {
    const { log, read } = newLog(8);
    for (const [seq, tenantId] of [
      [1, 'acme'],
      [2, 'other'],
      [3, ''],
      [4, 'acme'],
    ] as const)
      log.add(change(seq, tenantId));
    expect(read(0, 1)).toEqual({ keys: ['k3', 'k4'], next: 4, complete: true });
    expect(read(0, 0, ['acme'], 1)).toEqual({ keys: ['k1'], next: 1, complete: false });
  });
});
