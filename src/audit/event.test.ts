import { describe, expect, it } from '@jest/globals';
import type { AuditEntry } from '../base/event.ts';
import { boundedDetails, DETAILS_MAX, eventFrom, eventId } from './event.ts';

const entry: AuditEntry = {
  tenantId: 'acme',
  type: 'user.created',
  actor: { type: 'user', id: 'usr_1', tenantId: 'acme' },
  resource: 'user:usr_2',
  action: 'created',
  result: 'success',
  reason: '',
  level: 'info',
  method: 'securityhub.v1.UserService/CreateUser',
  ipAddress: '127.0.0.1',
  sessionId: '',
  requestId: 'req',
  details: {},
};
const random = Buffer.from('0123456789abc');

describe('an event id', () => {
  it('sorts by time, then by order, whatever is random', () => {
    const ids = [
      eventId(1_795_000_000_000, 0, Buffer.alloc(13, 31)),
      eventId(1_795_000_000_000, 1, Buffer.alloc(13, 0)),
      eventId(1_795_000_000_001, 0, Buffer.alloc(13, 0)),
      eventId(9_999_999_999_999, 0, Buffer.alloc(13, 0)),
    ];
    expect(ids.toSorted()).toEqual(ids);
  });
  it('is evt_ and 26 characters', () => expect(eventId(0, 0, random)).toMatch(/^evt_0000000000000[0-9a-z]{13}$/));
});

describe('the details of an event', () => {
  it('stay as they are when they are small and clean', () =>
    expect(boundedDetails({ a: 1, b: ['x'], c: null })).toEqual({ a: 1, b: ['x'], c: null }));
  it('are cut with a mark when they are large', () => {
    const cut = boundedDetails({ text: 'é'.repeat(DETAILS_MAX) });
    expect(cut).toMatchObject({ truncated: true, bytes: 2 * DETAILS_MAX + 11 });
    expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThan(DETAILS_MAX);
  });
  it('lose what Postgres cannot keep: NUL and half a surrogate pair, in names as in values', () =>
    expect(boundedDetails({ 'a\0': 'b\0c', d: ['\ud800'] })).toEqual({ 'a\ufffd': 'b\ufffdc', d: ['\ufffd'] }));
  it('stay within their bound however much their characters grow as JSON', () => {
    for (const text of ['\u0001', '"', 'é', '€', '😀'])
      for (const length of [1000, 1200, 1300, 1400, 3000, 9000]) {
        const kept = boundedDetails({ text: text.repeat(length / text.length), n: 1e21, yes: true });
        expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThanOrEqual(DETAILS_MAX);
      }
  });
  it('never show bytes', () => expect(boundedDetails({ key: Buffer.from('secret') })).toEqual({ key: { bytes: 6 } }));
  it('end at a depth, so that a ring is no ring', () => {
    const ring: Record<string, unknown> = {};
    ring['again'] = ring;
    expect(JSON.stringify(boundedDetails(ring))).toContain('…');
  });
  it('take what JSON cannot say', () =>
    expect(boundedDetails({ big: 1n, f: () => 1, u: undefined })).toEqual({ big: '1', f: null, u: undefined }));
});

describe('an event', () => {
  it('carries the entry, its id, time and count', () => {
    expect(eventFrom(entry, 'evt_1', 5, 3)).toEqual({ ...entry, id: 'evt_1', time: 5, count: 3, riskIndicators: [] });
  });
  it('bounds every text', () => {
    const long = eventFrom({ ...entry, resource: 'x'.repeat(9999), method: '\0' }, 'evt_1', 5, 1);
    expect(long.resource).toHaveLength(512);
    expect(long.method).toBe('\ufffd');
  });
});
