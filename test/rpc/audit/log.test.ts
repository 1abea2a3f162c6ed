// The audit log on a real Postgres: what is written is found, nothing is changed, nothing is lost.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { type Audit, type AuditSettings, createAudit, type EventFilter } from '../../../src/audit/audit.ts';
import { postgresEvents } from '../../../src/audit/events.postgres.ts';
import { type AuditEntry, eventOf } from '../../../src/base/event.ts';
import { createPager } from '../../../src/base/page.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { days } from '../../../src/base/time.ts';
import type { Log } from '../../../src/server/platform.ts';
import { createMetrics } from '../../../src/server/observability/metrics.ts';
import { createGroupCommit } from '../../../src/storage/group-commit.ts';
import type { Database, Tx } from '../../../src/storage/storage.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock } from '../../harness.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const everything: EventFilter = {
  from: null,
  until: null,
  types: [],
  actorType: '',
  actorId: '',
  resource: '',
  action: '',
  result: '',
  sessionId: '',
  requestId: '',
};

const metrics = createMetrics('test');
let database: FreshDatabase;
let clock: TestClock;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  metrics.close();
  await database.close();
});
beforeEach(() => {
  clock = testClock(NOW);
});

const quiet: Log = { info: () => {}, warn: () => {}, error: () => {} };
const auditOf = (over: Partial<AuditSettings> = {}, db: Database = database.db): Audit =>
  createAudit({
    clock,
    random: systemRandom,
    log: quiet,
    metrics,
    pager: createPager(randomBytes(32)),
    store: postgresEvents(db),
    groupCommit: (flush, options) => createGroupCommit(flush, { ...options, delay: 1 }),
    settings: { decisions: { kind: 'all' }, bestEffort: true, retention: days(365), ...over },
  });

let tenants = 0;
const newTenant = (): string => `tenant-${(tenants += 1)}`;
const entryIn = (tenantId: string, over: Partial<AuditEntry> = {}): AuditEntry =>
  eventOf(callAs(userCaller(tenantId)), tenantId, 'call.refused', 'method:x', over);
const found = async (audit: Audit, tenantId: string, filter: Partial<EventFilter> = {}) =>
  (await audit.search({ tenantId, filter: { ...everything, ...filter }, pageSize: 0, pageToken: '' })).events;

interface Tables {
  audit_event: { tenant_id: string; type: string; reason: string };
}
const inTenant = <T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> => database.db.tenant(tenantId, work);

describe('an event of a change', () => {
  it('is found with everything it said', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    const entry = entryIn(tenantId, {
      type: 'user.created',
      details: { a: [1, { b: 'ü' }] },
      riskIndicators: ['new_device'],
      requestId: 'r1',
    });
    await inTenant(tenantId, (tx) => audit.recorder.insert(tx, [entry]));
    const [event] = await found(audit, tenantId);
    expect(event).toEqual({ ...entry, id: expect.stringMatching(/^evt_/), time: NOW, count: 1 });
  });
  it('is gone when the change is', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    await inTenant(tenantId, async (tx) => {
      await audit.recorder.insert(tx, [entryIn(tenantId)]);
      throw new Error('the change failed');
    }).catch(() => {});
    expect(await found(audit, tenantId)).toEqual([]);
  });
  it('of a foreign tenant cannot be written', async () => {
    const audit = auditOf();
    await expect(inTenant(newTenant(), (tx) => audit.recorder.insert(tx, [entryIn('somebody-else')]))).rejects.toMatchObject({
      code: '42501',
    });
  });
  it('of the installation can, in any tenant, and only the operator reads it', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    await inTenant(tenantId, (tx) => audit.recorder.insert(tx, [entryIn('', { type: 'tenant.created', requestId: tenantId })]));
    expect(await found(audit, '', { requestId: tenantId })).toHaveLength(1);
    expect(await found(audit, tenantId)).toEqual([]);
    const seen = await inTenant('', (tx) => tx.tables<Tables>().selectFrom('audit_event').selectAll().execute());
    expect(seen).toEqual([]);
  });
});

describe('the log', () => {
  const attempts: readonly [string, (tx: Tx) => Promise<unknown>][] = [
    ['updated', (tx) => tx.tables<Tables>().updateTable('audit_event').set({ reason: 'x' }).execute()],
    ['deleted', (tx) => tx.tables<Tables>().deleteFrom('audit_event').execute()],
    ['truncated', (tx) => sql`TRUNCATE audit_event`.execute(tx.tables())],
    ['dropped', (tx) => sql`DROP TABLE audit_event_default`.execute(tx.tables())],
    ['read past the wall through a partition', (tx) => sql`SELECT * FROM audit_event_default`.execute(tx.tables())],
  ];
  it.each(attempts)('cannot be %s by the role of the service', async (_, attempt) => {
    const tenantId = newTenant();
    await expect(inTenant(tenantId, attempt)).rejects.toMatchObject({ code: '42501' });
  });
  it.each(attempts.slice(0, 4))('cannot be %s by the role of the jobs', async (_, attempt) => {
    await expect(database.db.jobs(attempt)).rejects.toMatchObject({ code: '42501' });
  });
  it('lets the service drop no month', async () => {
    await expect(inTenant('acme', (tx) => sql`SELECT audit_event_drop_before(now())`.execute(tx.tables()))).rejects.toMatchObject({
      code: '42501',
    });
  });
  it('keeps what Postgres could not: NUL, half a surrogate, too much', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    await audit.recorder.required(entryIn(tenantId, { resource: 'a\0b\ud800', details: { 'x\0': '\udc00', long: 'y'.repeat(20_000) } }));
    const [event] = await found(audit, tenantId);
    expect(event).toMatchObject({ resource: 'a\ufffdb\ufffd', details: { truncated: true } });
  });
});

describe('a required event', () => {
  it('is there when the promise resolves, many at once in one transaction', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    await Promise.all(Array.from({ length: 100 }, (_, i) => audit.recorder.required(entryIn(tenantId, { requestId: `r${i}` }))));
    const rows = await database.sql('SELECT DISTINCT xmin FROM audit_event WHERE tenant_id = $1', [tenantId]);
    expect(rows).toHaveLength(1);
    expect((await audit.search({ tenantId, filter: everything, pageSize: 1000, pageToken: '' })).events).toHaveLength(100);
  });
  it('answers UNAVAILABLE, AUDIT_UNAVAILABLE, when it cannot be kept', async () => {
    const broken: Database = { tenant: () => Promise.reject(new Error('away')), jobs: () => Promise.reject(new Error('away')) };
    await expect(auditOf({}, broken).recorder.required(entryIn('acme'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'AUDIT_UNAVAILABLE',
    });
  });
  it('is kept with audit logging off', async () => {
    const tenantId = newTenant();
    const audit = auditOf({ bestEffort: false });
    await audit.recorder.required(entryIn(tenantId));
    expect(await found(audit, tenantId)).toHaveLength(1);
  });
});

describe('refusals', () => {
  it('are found at once, their repetitions counted per ten seconds', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    const refuse = (): void => audit.recorder.refused(entryIn(tenantId, { reason: 'TOKEN_EXPIRED' }));
    refuse();
    expect(await found(audit, tenantId)).toMatchObject([{ reason: 'TOKEN_EXPIRED', count: 1 }]);
    clock.advance(1000);
    for (let i = 0; i < 1000; i += 1) refuse();
    expect(await found(audit, tenantId)).toHaveLength(1);
    clock.advance(9000);
    expect(await found(audit, tenantId)).toMatchObject([{ count: 1000, time: NOW + 1000 }, { count: 1 }]);
  });
  it('are told apart by actor, method, reason and address', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    const apart: readonly Partial<AuditEntry>[] = [
      {},
      { reason: 'B' },
      { method: 'm' },
      { ipAddress: '10.1.1.1' },
      { actor: { type: 'user', id: 'usr_2', tenantId } },
    ];
    for (const over of apart) audit.recorder.refused(entryIn(tenantId, over));
    expect(await found(audit, tenantId)).toHaveLength(apart.length);
  });
  it('outlive a database that is away', async () => {
    const tenantId = newTenant();
    let away = true;
    const flaky: Database = {
      tenant: (id, work) => database.db.tenant(id, work),
      jobs: (work) => (away ? Promise.reject(new Error('away')) : database.db.jobs(work)),
    };
    const audit = auditOf({}, flaky);
    for (let i = 0; i < 7; i += 1) audit.recorder.refused(entryIn(tenantId));
    await audit.writeDue();
    audit.recorder.refused(entryIn(tenantId));
    expect(await found(audit, tenantId)).toEqual([]);
    away = false;
    expect(await found(audit, tenantId)).toMatchObject([{ count: 8 }]);
  });
  it('are kept whatever AUDIT_DECISIONS and ENABLE_AUDIT_LOGGING say', async () => {
    const tenantId = newTenant();
    const audit = auditOf({ bestEffort: false, decisions: { kind: 'refusals' } });
    audit.recorder.refused(entryIn(tenantId));
    expect(await found(audit, tenantId)).toHaveLength(1);
  });
  it('beyond the memory for kinds of them are counted as others, not dropped', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    for (let i = 0; i < 10_500; i += 1) audit.recorder.refused(entryIn(tenantId, { reason: `R${i}` }));
    await audit.recorder.flush();
    const [sum] = await database.sql<{ n: number }>('SELECT sum(count)::int AS n FROM audit_event WHERE tenant_id = $1', [tenantId]);
    expect(sum?.n).toBe(10_500);
  });
});

describe('allowed verdicts', () => {
  const sample = (audit: ReturnType<typeof auditOf>, entry: AuditEntry): void =>
    audit.recorder.sampled(`${entry.tenantId} ${entry.resource}`, () => entry);
  const validate = (tenantId: string, resource = 'token:1'): AuditEntry => entryIn(tenantId, { type: 'call.validate_token', resource });

  it('are one event a flush where they are equal', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    for (let i = 0; i < 5000; i += 1) sample(audit, validate(tenantId));
    sample(audit, validate(tenantId, 'token:2'));
    expect((await found(audit, tenantId)).map((event) => event.count).toSorted((a, b) => a - b)).toEqual([1, 5000]);
  });
  it.each<[string, Partial<AuditSettings>]>([
    ['AUDIT_DECISIONS=refusals', { decisions: { kind: 'refusals' } }],
    ['ENABLE_AUDIT_LOGGING=false', { bestEffort: false }],
    ['AUDIT_DECISIONS=sample:0', { decisions: { kind: 'sample', rate: 0 } }],
  ])('are not kept with %s', async (_, settings) => {
    const tenantId = newTenant();
    const audit = auditOf(settings);
    sample(audit, validate(tenantId));
    expect(await found(audit, tenantId)).toEqual([]);
  });
  it('are kept in part with AUDIT_DECISIONS=sample:0.5', async () => {
    const tenantId = newTenant();
    const audit = auditOf({ decisions: { kind: 'sample', rate: 0.5 } });
    for (let i = 0; i < 1000; i += 1) sample(audit, validate(tenantId));
    const [event] = await found(audit, tenantId);
    expect(event?.count).toBeGreaterThan(350);
    expect(event?.count).toBeLessThan(650);
  });
  it('beyond the buffer leave a gap that says how many', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    for (let i = 0; i < 10_003; i += 1) sample(audit, validate(tenantId, `token:${i}`));
    await audit.writeDue();
    clock.advance(10_000);
    expect(await found(audit, tenantId, { types: ['audit.gap'] })).toMatchObject([{ count: 3, result: 'error', reason: 'OVERLOAD' }]);
  });
  it('that wait are written at the end', async () => {
    const tenantId = newTenant();
    const audit = auditOf();
    sample(audit, validate(tenantId));
    await audit.recorder.flush();
    expect(await database.sql('SELECT FROM audit_event WHERE tenant_id = $1', [tenantId])).toHaveLength(1);
  });
});

describe('a search', () => {
  let tenantId: string;
  let audit: Audit;
  beforeAll(async () => {
    clock = testClock(NOW);
    tenantId = newTenant();
    audit = auditOf();
    for (let i = 0; i < 120; i += 1) {
      if (i % 3 === 0) clock.advance(1000);
      await audit.recorder.required(entryIn(tenantId, { requestId: `r${i}`, type: i % 2 === 0 ? 'token.refreshed' : 'token_thing.made' }));
    }
  });
  it('gives every event once, newest first, page by page', async () => {
    const ids: string[] = [];
    let pageToken = '';
    do {
      const page = await audit.search({ tenantId, filter: everything, pageSize: 7, pageToken });
      ids.push(...page.events.map((event) => event.requestId));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(ids).toEqual(Array.from({ length: 120 }, (_, i) => `r${119 - i}`));
  });
  it('takes no page token of another search', async () => {
    const { nextPageToken } = await audit.search({ tenantId, filter: everything, pageSize: 1, pageToken: '' });
    const other = audit.search({ tenantId, filter: { ...everything, action: 'x' }, pageSize: 1, pageToken: nextPageToken });
    await expect(other).rejects.toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
  });
  it.each<[string, Partial<EventFilter>, number]>([
    ['a type', { types: ['token.refreshed'] }, 60],
    ['all types of a noun, and no other noun', { types: ['token.*'] }, 60],
    ['any of several types', { types: ['token.*', 'token_thing.made'] }, 120],
    ['a request', { requestId: 'r5' }, 1],
    ['an actor', { actorType: 'user', actorId: 'usr_test' }, 120],
    ['another actor', { actorId: 'usr_2' }, 0],
    ['a time from', { from: NOW + 40_000 }, 3],
    ['a time until', { until: NOW + 2000 }, 3],
    ['a result', { result: 'failure' }, 0],
  ])('finds by %s', async (_, filter, count) => {
    const { events } = await audit.search({ tenantId, filter: { ...everything, ...filter }, pageSize: 1000, pageToken: '' });
    expect(events).toHaveLength(count);
  });
  it('reaches no event of another tenant', async () => expect(await found(audit, newTenant())).toEqual([]));
  it('refuses an end before its beginning', async () => {
    await expect(found(audit, tenantId, { from: 5, until: 5 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [{ field: 'before' }],
    });
  });
});

describe('the partitions of the log', () => {
  const partitions = async (): Promise<string[]> =>
    (
      await database.sql<{ name: string }>(
        `SELECT relname AS name FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'audit_event'::regclass`,
      )
    )
      .map(({ name }) => name)
      .sort();

  it('are made ahead, and take in what came before them', async () => {
    const tenantId = newTenant();
    clock.set(Date.UTC(2031, 4, 31, 23, 59, 59, 999));
    const audit = auditOf();
    await audit.recorder.required(entryIn(tenantId));
    await audit.keepPartitions();
    await audit.keepPartitions();
    expect(await partitions()).toEqual(expect.arrayContaining(['audit_event_203105', 'audit_event_203106', 'audit_event_203107']));
    expect(await database.sql('SELECT FROM audit_event_203105 WHERE tenant_id = $1', [tenantId])).toHaveLength(1);
    expect(await found(audit, tenantId)).toHaveLength(1);
  });
  it('are dropped whole beyond DATA_RETENTION_DAYS, and the log says so', async () => {
    const tenantId = newTenant();
    clock.set(Date.UTC(2020, 0, 15));
    const audit = auditOf({ retention: days(30) });
    await audit.recorder.required(entryIn(tenantId));
    await audit.keepPartitions();
    clock.set(Date.UTC(2020, 2, 1));
    await audit.keepPartitions();
    expect(await found(audit, tenantId)).toHaveLength(1);
    clock.set(Date.UTC(2020, 2, 2, 0, 0, 1));
    await audit.keepPartitions();
    expect(await partitions()).not.toContain('audit_event_202001');
    expect(await found(audit, tenantId)).toEqual([]);
    expect(await found(audit, '', { types: ['audit.partition_dropped'] })).toMatchObject([{ resource: 'partition:audit_event_202001' }]);
  });
  it('of the last day are never dropped, whatever the clock of the process says', async () => {
    clock.set(Date.UTC(2126, 0, 1));
    await auditOf({ retention: days(1) }).keepPartitions();
    const month = new Date().toISOString().slice(0, 7).replace('-', '');
    expect(await partitions()).toContain(`audit_event_${month}`);
  });
});
