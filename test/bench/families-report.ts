// Prints what families that come and go leave behind as a part of docs/growth.md.
import type { Round } from './families.ts';
import { mark, number } from './report.ts';

export interface Families {
  readonly rows: number;
  readonly generation: number;
  readonly rounds: readonly Round[];
  /** Milliseconds to ready with all of them. */
  readonly startedIn: number;
  readonly machine: string;
}

const GB = 1e9;
const milliseconds = (value: number): string => `${number(value, value < 10 ? 1 : 0)} ms`;
const total = ({ size }: Round): number | null => (size === undefined ? null : size.tables + size.indexes);
const NONE = '–';

const line = (round: Round, at: number): string => {
  const { size, swept, vacuumed, bornPerSecond, quiet, sweeping, vacuuming, bearing } = round;
  return `| ${[
    at + 1,
    size === undefined ? NONE : `${number(size.tables / GB, 2)} + ${number(size.indexes / GB, 2)}`,
    `${number(swept.seconds)} s, ${number(swept.families / swept.seconds)}/s`,
    `${number(swept.pieces)}, ${milliseconds(swept.median)}, ${milliseconds(swept.longest)}`,
    vacuumed === undefined ? NONE : `${number(vacuumed.mostDead)} → ${number(vacuumed.dead)}, ${number(vacuumed.seconds)} s`,
    bornPerSecond === undefined ? NONE : `${number(bornPerSecond)}/s`,
    [quiet, sweeping, vacuuming, bearing].map((one) => (one === undefined || one.count === 0 ? NONE : milliseconds(one.p99))).join(', '),
  ].join(' | ')} |`;
};

const row = (what: string, measured: string, budget: string, met: boolean): string =>
  `| ${what} | ${measured} | ${budget} | ${mark(met)} |`;

export const familiesReport = ({ rows, generation, rounds, startedIn, machine }: Families): string => {
  const sizes = rounds.map(total).filter((size) => size !== null);
  const [first, last] = [sizes[0], sizes.at(-1)];
  const growth = sizes.length < 2 || first === undefined || last === undefined ? null : last / first;
  const most = (of: (round: Round) => number): number => Math.max(...rounds.map(of));
  const longest = most(({ swept }) => swept.longest);
  const p99 = most(({ sweeping }) => sweeping.p99);
  const failed = rounds
    .flatMap(({ quiet, sweeping, vacuuming, bearing }) => [quiet, sweeping, vacuuming, bearing])
    .reduce((sum, one) => sum + (one?.failed ?? 0), 0);
  const slowest = Math.min(...rounds.map(({ swept }) => swept.families / swept.seconds));
  return `## Families that come and go

Written by \`npm run bench:families\` (${machine}). ${number(rows)} living families with their sessions, of a thousand tenants, on a Postgres with its own defaults
(128 MB of shared buffers). In every round the ${number(generation)} that end first are carried away by the hub's own job, its clock set ahead; autovacuum clears away
what is left of them; as many are born. Some two hundred refreshes a second and a login every second go on all the time.

| round | GB of tables + indexes at its end | carried away in | pieces, their median, the longest | dead rows, cleared away after | born | refresh p99: quiet, carried away, cleared away, born |
|---|---|---|---|---|---|---|
${rounds.map(line).join('\n')}

| what | measured | budget | met |
|---|---|---|---|
${[
  ...(growth === null
    ? []
    : [
        row(
          `size of the tables and indexes after ${sizes.length} rounds, to that after the first`,
          `× ${number(growth, 3)}`,
          '≤ × 1.05',
          growth <= 1.05,
        ),
      ]),
  row('families carried away, the slowest round', `${number(slowest)}/s`, '≥ 2,000/s, the logins of a full hub', slowest >= 2000),
  row('the longest transaction of the job', milliseconds(longest), '< 2,500 ms, the time of a statement', longest < 2500),
  row('refresh p99 while they are carried away', milliseconds(p99), '< 100 ms', p99 < 100),
  row('refreshes and logins that failed', number(failed), '0', failed === 0),
  row(`start to ready with ${number(rows)} families`, milliseconds(startedIn), '≤ 1,000 ms', startedIn <= 1000),
].join('\n')}
`;
};
