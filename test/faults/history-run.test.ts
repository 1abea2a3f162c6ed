// Many clients on three replicas while the wires to Postgres and Redis are cut, hung and mended: what they were told holds together.
// HISTORY_SECONDS makes it longer, HISTORY_SEED repeats the choices of a run.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '../harness.ts';
import { figures, report } from './caller.ts';
import { type Entry, check, type Refresh, type Revoke, type Validate } from './history.ts';
import { chanceOf, type Clients, createClients } from './history-clients.ts';
import { createFaults } from './history-faults.ts';
import { BOUNDS, CEILING_SECONDS, makeWorld, type World } from './history-world.ts';

const SECONDS = Number(process.env['HISTORY_SECONDS'] ?? 30);
const SEED = Number(process.env['HISTORY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const USERS = 5;
const SESSIONS = 10;
const ASKERS = 4;

let world: World;
let clients: Clients;
beforeAll(async () => {
  world = await makeWorld({ replicas: 3, users: USERS + 1 });
}, 60_000);
afterAll(async () => {
  await world?.stop();
}, 30_000);

const of = <K extends Entry['kind']>(kind: K) =>
  clients.history.filter((entry): entry is Extract<Entry, { kind: K }> => entry.kind === kind);

describe('a history of three replicas', () => {
  it(
    'is made while their stores come and go',
    async () => {
      report(`HISTORY_SEED=${SEED} HISTORY_SECONDS=${SECONDS}`);
      clients = createClients(world, chanceOf(SEED));
      const faults = createFaults(world, chanceOf(SEED + 1), clients.history);
      const running = [
        ...Array.from({ length: SESSIONS }, (_, at) => clients.session(world.users[at % USERS] as string)),
        clients.steady(world.users[USERS] as string),
        ...Array.from({ length: ASKERS }, () => clients.asker()),
      ];
      const disturbed = Promise.all([faults.loseDatabase(2, (CEILING_SECONDS + 3) * 1000), faults.run()]);
      await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
      faults.end();
      await disturbed;
      clients.end();
      await Promise.all(running);
      // Whole again, everybody knows everything.
      const ready = async (): Promise<boolean> => {
        const answers = await Promise.all(world.replicas.map(({ hub }) => fetch(hub.ready).then(({ ok }) => ok)));
        return answers.every((ok) => ok);
      };
      await waitFor(ready, 10_000, 'readiness of all replicas');
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await clients.askAll();
    },
    (SECONDS + 90) * 1000,
  );

  it('shows no contradiction, and no answer that a caller should not see', () => {
    expect(clients.unexpected).toEqual([]);
    const violations = check(clients.history, BOUNDS);
    expect({ violations: violations.length, first: violations.slice(0, 3) }).toEqual({ violations: 0, first: [] });
  });

  it('has seen enough to say so', () => {
    const [verdicts, refreshes, revokes]: [Validate[], Refresh[], Revoke[]] = [of('validate'), of('refresh'), of('revoke')];
    const seen = {
      logins: of('login').filter(({ issued }) => issued !== null).length,
      'valid verdicts': verdicts.filter(({ verdict }) => verdict === 'valid').length,
      'refusals of what was ended': verdicts.filter(({ verdict }) => verdict === 'invalid').length,
      'verdicts not given': verdicts.filter(({ verdict }) => verdict === null).length,
      'degraded verdicts': verdicts.filter(({ degraded }) => degraded).length,
      // What Redis brings sooner, a replica without both learns from the poll: within the bound it may not know yet.
      'valid verdicts after an acknowledgement, within the bound': verdicts.filter(
        ({ verdict, token, begin }) =>
          verdict === 'valid' &&
          revokes.some((one) => one.seq > 0 && one.token.sessionId === token.sessionId && one.scope === 'session' && one.end < begin),
      ).length,
      'verdicts refused beyond the ceiling': verdicts.filter(({ reason, maxStaleness }) => reason === 'FEED_STALE' && maxStaleness === 0)
        .length,
      'verdicts too old for their caller': verdicts.filter(({ verdict, maxStaleness }) => verdict === null && maxStaleness > 0).length,
      refreshes: refreshes.filter(({ issued }) => issued !== null).length,
      'pairs given again':
        refreshes.filter(({ issued }) => issued !== null).length -
        new Set(refreshes.flatMap(({ issued }) => issued?.refreshToken ?? [])).size,
      'refreshes without an answer': refreshes.filter(({ issued, reason }) => issued === null && reason === '').length,
      thefts: refreshes.filter(({ reason }) => reason === 'REFRESH_TOKEN_REUSED').length,
      'revocations acknowledged': revokes.filter(({ seq }) => seq > 0).length,
      'revocations without an answer': revokes.filter(({ seq }) => seq === 0).length,
      'refreshes that the database forgot': of('lost').length,
      'times without a store': of('away').length,
    };
    report(
      Object.entries(seen)
        .map(([what, count]) => `${count} ${what}`)
        .join(', '),
    );
    report(
      figures(
        'verdicts',
        verdicts.map(({ begin, end }) => end - begin),
      ),
    );
    expect(Object.entries(seen).filter(([, count]) => count === 0)).toEqual([]);
  });
});
