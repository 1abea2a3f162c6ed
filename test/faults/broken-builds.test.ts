// The checker is worth its green: builds with one deliberate fault make it report, each by the rule that fault breaks.
import { describe, expect, it } from '@jest/globals';
import { report } from './caller.ts';
import { type Break, breakBuild } from './broken-builds.ts';
import { check, type Rule } from './history.ts';
import { chanceOf, createClients } from './history-clients.ts';
import { createFaults } from './history-faults.ts';
import { BOUNDS, makeWorld } from './history-world.ts';

const PATIENCE = 45_000;
/** In a row: what looks wrong while the call that explains it is still out is right half a second later. */
const LOOKS = 4;
const ROTATE = 'tokens/rotate.postgres.js';

interface Broken extends Break {
  readonly what: string;
  readonly rules: readonly Rule[];
}

const BROKEN: readonly Broken[] = [
  {
    what: 'the mirror skips an event',
    file: 'tokens/mirror.js',
    text: 'if (change.until === null)',
    by: 'if (change.until === null || change.seq % 3 === 0)',
    rules: ['valid after its end was known', 'valid later than promised'],
  },
  {
    what: 'compare-and-set does not compare the hash',
    file: ROTATE,
    text: "AND f.current_hash = decode(a.hash, 'hex')",
    by: '',
    rules: ['two of one generation'],
  },
  {
    what: 'compare-and-set does not compare the generation either',
    file: ROTATE,
    text: "AND f.generation = a.generation\n  AND f.current_hash = decode(a.hash, 'hex')",
    by: '',
    rules: ['two successors'],
  },
  {
    what: 'changes are acknowledged before they are committed',
    file: 'storage/database.postgres.js',
    text: "const end = await borrowed.query('COMMIT');",
    by: "const end = { command: 'COMMIT' }; borrowed.query('COMMIT').catch(() => {});",
    // The last: a login or a successor that was handed out and never stored.
    rules: [
      'valid after its end was known',
      'valid later than promised',
      'refreshed after its end',
      'two successors',
      'refused without a cause',
    ],
  },
];

describe('a build in which', () => {
  it.each(BROKEN)(
    '$what is found out',
    async ({ rules, ...broken }) => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      const build = breakBuild(broken);
      const world = await makeWorld({ replicas: 2, users: 3, main: build.main });
      const clients = createClients(world, chanceOf(seed));
      const faults = createFaults(world, chanceOf(seed + 1), clients.history);
      const began = performance.now();
      const found = (): ReadonlySet<Rule> => new Set(check(clients.history, BOUNDS).map(({ rule }) => rule));
      try {
        const running = [
          ...Array.from({ length: 6 }, (_, at) => clients.session(world.users[at % world.users.length] as string)),
          ...Array.from({ length: 3 }, () => clients.asker()),
          faults.run(),
        ];
        const wanted = (): boolean => rules.some((rule) => found().has(rule));
        for (let looks = 0; looks < LOOKS && performance.now() - began < PATIENCE; looks = wanted() ? looks + 1 : 0)
          await new Promise((resolve) => setTimeout(resolve, 500));
        clients.end();
        faults.end();
        await Promise.all(running);
      } finally {
        await world.stop();
        build.remove();
      }
      report(`seed ${seed}: found after ${((performance.now() - began) / 1000).toFixed(1)} s: ${[...found()].join(', ')}`);
      expect([...found()].filter((rule) => rules.includes(rule))).not.toEqual([]);
    },
    90_000,
  );
});
