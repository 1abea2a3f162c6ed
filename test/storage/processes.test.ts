// What must hold between processes, some of which die: leases and the outbox.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLease } from '../../src/storage/lease.postgres.ts';
import { createOutboxStore } from '../../src/storage/outbox.postgres.ts';
import { createRelay, type StoredMessage } from '../../src/storage/relay.ts';
import { type FreshDatabase, freshDatabase, waitFor } from '../harness.ts';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const start = (
  script: string,
  ...args: string[]
): { readonly child: ChildProcess; readonly lines: string[]; readonly ended: Promise<string | null> } => {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'processes', script), ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const lines: string[] = [];
  child.stdout?.on('data', (chunk: Buffer) => void lines.push(...chunk.toString().trim().split('\n')));
  return { child, lines, ended: new Promise((resolve) => child.on('close', (_code, signal) => resolve(signal))) };
};

interface Held {
  readonly owner: string;
  readonly fence: number;
  readonly from: number;
  readonly until: number;
}

describe('a lease', () => {
  it('is never held by two processes, and its fencing number grows with every holder', async () => {
    const processes = ['a', 'b', 'c'].map((owner) => start('lease-holder.ts', database.uri, owner));
    const held = (): Held[] =>
      processes.flatMap(({ lines }) => lines.map((line): Held => JSON.parse(line))).toSorted((x, y) => x.from - y.from);
    await waitFor(() => held().length > 5, 10_000);
    // Its holder dies; another must come, after the lease's end and not before.
    const dead = held().at(-1)?.owner;
    const victim = processes[['a', 'b', 'c'].indexOf(dead ?? '')];
    victim?.child.kill('SIGKILL');
    await victim?.ended;
    await waitFor(() => held().at(-1)?.owner !== dead, 10_000);
    await waitFor(() => held().length > 15, 10_000);
    for (const { child } of processes) child.kill('SIGKILL');
    await Promise.all(processes.map(({ ended }) => ended));
    const all = held();
    for (const one of all)
      for (const other of all) if (one.owner !== other.owner) expect(one.from < other.until && other.from < one.until).toBe(false);
    const fences = all.map((one) => one.fence);
    expect(fences).toEqual(fences.toSorted((x, y) => x - y));
    expect(new Set(all.map((one) => `${one.fence}`)).size).toBe(new Set(all.map((one) => `${one.fence} ${one.owner}`)).size);
  });

  it('is free at once when its holder lets it go', async () => {
    const [one, two] = [createLease(database.db, 'one'), createLease(database.db, 'two')];
    const first = await one.acquire('polite', 60_000);
    expect(await two.acquire('polite', 60_000)).toBeNull();
    expect(await one.acquire('polite', 60_000)).toBe(first);
    await two.release('polite');
    expect(await two.acquire('polite', 60_000)).toBeNull();
    await one.release('polite');
    expect(await two.acquire('polite', 60_000)).toBe((first ?? 0) + 1);
  });
});

describe('an event', () => {
  it('of a writer killed right after its commit arrives, once per id, in order', async () => {
    const writer = start('killed-writer.ts', database.uri);
    expect(await writer.ended).toBe('SIGKILL');
    const dying = start('killed-relay.ts', database.uri);
    expect(await dying.ended).toBe('SIGKILL');
    const delivered: StoredMessage[] = [];
    const relay = createRelay({
      store: createOutboxStore(database.db),
      sink: { deliver: async (messages) => void delivered.push(...messages) },
      lease: createLease(database.db, 'relay'),
      onError: () => {},
    });
    await relay.run();
    expect(delivered.map((message) => message.body)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    // The consumer that already had them from the killed relay knows them by their ids.
    expect(delivered.map((message) => message.id)).toEqual(JSON.parse(dying.lines[0] ?? ''));
    await relay.run();
    expect(delivered).toHaveLength(3);
    await relay.stop();
  });

  it('stays in the outbox while its receiver refuses it', async () => {
    await database.sql(`INSERT INTO outbox (tenant_id, topic, key, body) VALUES ('acme', 't', 'k', '{}')`);
    let refuse = true;
    let refused = 0;
    let count = 0;
    const relay = createRelay({
      store: createOutboxStore(database.db),
      sink: {
        deliver: async (messages) => {
          if (refuse) throw new Error(`not now, for time ${(refused += 1)}`);
          count += messages.length;
        },
      },
      lease: createLease(database.db, 'relay'),
      interval: 20,
      onError: () => {},
    });
    relay.start();
    await waitFor(() => refused > 1, 10_000, 'a second try');
    refuse = false;
    await waitFor(() => count === 1, 2000);
    await relay.stop();
    expect(await database.sql('SELECT FROM outbox')).toHaveLength(0);
  });
});
