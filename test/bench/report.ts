// Prints the measured rows as the table of docs/benchmarks.md.
import type { LocalResult } from './local.ts';
import type { Result } from './measure.ts';
import type { RefreshRate } from './refresh.ts';
import type { SliceResult } from './slices.ts';

export interface Whole {
  readonly idle: number;
  readonly peak: number;
  readonly startedIn: number;
  readonly refresh: RefreshRate;
  readonly machine: string;
  readonly local: readonly LocalResult[];
  readonly slices: readonly SliceResult[];
}

export const number = (value: number, digits = 0): string =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const mark = (met: boolean | null): string => (met === null ? '' : met ? 'yes' : 'NO');

const line = ({ row, perSecond, perCpuSecond, cpuMicros, p50, p99, ratio, failed, met }: Result): string => {
  const budget = row.ratio !== undefined ? `ratio ≥ ${row.ratio}` : row.rate !== undefined ? `≥ ${number(row.rate)}/s a core` : '';
  return `| ${[row.name, number(perSecond), number(perCpuSecond), number(cpuMicros, 1), number(p50, 2), number(p99, 2), ratio === null ? '' : number(ratio, 2), failed, budget, mark(met)].join(' | ')} |`;
};

const localLine = ({ tokens, perCpuSecond, budget, perToken }: LocalResult): string =>
  `| client's local mode, ${number(tokens)} tokens (${number(perToken)} bytes each) | ${number(perCpuSecond)}/s of the service's CPU | ≥ ${number(budget)}/s | ${mark(perCpuSecond >= budget)} |\n`;

const sliceLine = ({ name, batches, held: { longest, working, p99 } }: SliceResult): string =>
  `| event loop held at once by ${name}: the longest of all turns in ${number(batches)} batches, p99 ${number(p99, 2)} ms; with what the garbage collector took of it ${number(longest, 1)} ms | ${number(working, 2)} ms | ≤ 2 ms | ${mark(working <= 2)} |\n`;

export const report = (results: readonly Result[], whole: Whole): string =>
  `# Benchmarks

Written by \`npm run bench\` (${whole.machine}). The built server in production configuration, on real Postgres and Redis, authentication, metrics and audit on,
pinned to one core; the load comes from another. The echo is a bare grpc-js server with the same options and message sizes, measured in turn with each row
under the same load, each over connections that stay open; the median of five rounds. One caller stands for all of them, so the budgets per caller
(COLD_VALIDATIONS_PER_SECOND, ISSUES_PER_SECOND, LOGINS_PER_SECOND) are off. **Ratio** = CPU of the echo for an answer ÷ CPU of the hub for an answer. Calls are counted by \`grpc-status\`. Absolute numbers are this machine's.

| what | a second | a second of CPU | CPU µs | p50 ms | p99 ms | ratio to echo | failed | budget | met |
|---|---|---|---|---|---|---|---|---|---|
${results.map(line).join('\n')}

| what | measured | budget | met |
|---|---|---|---|
| refresh rotation, ${number(whole.refresh.perSecond)}/s on the wall, p50 ${whole.refresh.p50.toFixed(1)} ms, p99 ${whole.refresh.p99.toFixed(1)} ms | ${number(whole.refresh.perCpuSecond)}/s of the hub's CPU | ≥ 2,000/s | ${mark(whole.refresh.perCpuSecond >= 2000)} |
| start to ready on real stores | ${number(whole.startedIn)} ms | ≤ 1,000 ms | ${mark(whole.startedIn <= 1000)} |
| memory idle (RSS) | ${number(whole.idle)} MiB | ≤ 130 MB | ${mark(whole.idle <= 130)} |
${whole.local.map(localLine).join('')}${whole.slices.map(sliceLine).join('')}| memory after the rows (RSS) | ${number(whole.peak)} MiB | ≤ 350 MB | ${mark(whole.peak <= 350)} |
`;
