// Prints what grows as the table of docs/growth.md.
import type { Flatness, Propagation } from './growth.ts';
import { mark, number } from './report.ts';

export interface Growth {
  readonly flat: Flatness;
  readonly arrival: Propagation;
  /** Milliseconds to ready with 10⁴ and 10⁶ live revocations. */
  readonly startedWithSome: number;
  readonly startedWithMillion: number;
  /** MiB. */
  readonly idle: number;
  readonly mirrorMiB: number;
  readonly machine: string;
}

/** The budgets are in MB, what the kernel says in MiB. */
const MEGABYTES = (1024 * 1024) / 1e6;

const line = (what: string, measured: string, budget: string, met: boolean | null): string =>
  `| ${what} | ${measured} | ${budget} | ${mark(met)} |`;

export const growthReport = ({ flat, arrival, startedWithSome, startedWithMillion, idle, mirrorMiB, machine }: Growth): string => {
  const [mirror, verdicts] = [mirrorMiB * MEGABYTES, flat.verdictsMiB * MEGABYTES];
  const [revocationsRatio, tokensRatio] = [flat.revocations / flat.base, flat.tokens / flat.base];
  const micros = (value: number): string => `${number(flat.base, 1)} → ${number(value, 1)} µs of CPU`;
  return `# Growth

Written by \`npm run bench:growth\` (${machine}). Hubs in production configuration side by side on one core, on real Postgres and Redis, asked in turn from another core, half a second
each: with one token and no revocation, with 1,000,000 live revocations of the same tenant, with 100,000 tokens of sessions of their own. All the CPU
of a hub, its collector's included, over all its answers.
Memory is RSS above that of an idle hub (${number(idle)} MiB), read 5 s after the last call, nothing collected by hand.

| what | measured | budget | met |
|---|---|---|---|
${[
  line(
    'ValidateToken, 0 → 1,000,000 live revocations',
    `× ${number(revocationsRatio, 2)} (${micros(flat.revocations)})`,
    '≤ × 1.20',
    revocationsRatio <= 1.2,
  ),
  line('ValidateToken, 1 → 100,000 tokens', `× ${number(tokensRatio, 2)} (${micros(flat.tokens)})`, '≤ × 1.20', tokensRatio <= 1.2),
  line(
    'the first second after a rest of 5 s, 1 → 100,000 tokens, median of three',
    `× ${number(flat.rested.tokens / flat.rested.base, 2)} (${number(flat.rested.base, 1)} → ${number(flat.rested.tokens, 1)} µs of CPU)`,
    '',
    null,
  ),
  line('1,000,000 revocations in the mirror', `${number(mirror)} MB`, '≤ 150 MB', mirror <= 150),
  line('100,000 verdicts kept', `${number(verdicts)} MB`, '≤ 120 MB', verdicts <= 120),
  line(
    `revoke to refused by another replica under full load, ${number(arrival.count)} tokens`,
    `p50 ${number(arrival.p50)} ms, p99 ${number(arrival.p99)} ms`,
    'p99 < 1,000 ms',
    arrival.p99 < 1000,
  ),
  line('start to ready with 10,000 live revocations', `${number(startedWithSome)} ms`, '≤ 1,000 ms', startedWithSome <= 1000),
  line('start to ready with 1,000,000 live revocations', `${number(startedWithMillion)} ms`, '≤ 4,000 ms', startedWithMillion <= 4000),
].join('\n')}
`;
};
