// Prints what was measured beside the peers as sections of docs/benchmarks-peers.md; a part measured alone replaces its own section.
import type { CaseResult } from './casbin.ts';
import type { Peers } from './fetch.ts';
import type { AskedResult, ChangeResult } from './change.ts';
import type { LoadResult } from './load.ts';
import type { UsersResult } from './users.ts';

const number = (value: number, digits = 0): string =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const mark = (met: boolean): string => (met ? 'yes' : 'NO');
const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`;

export const HEAD = `# Benchmarks beside peers

Written by \`npm run bench:peers\`. The peers are fetched when it runs, they are no dependency. A server has one core, the load comes from
another; what counts is the server's CPU for a good answer. Absolute numbers are those of the machine that ran it.
`;

/** The first of the results is the measure for the others. */
const flatness = (first: number, now: number): string => `${now >= first ? '+' : '−'}${number(Math.abs(now / first - 1) * 100)} %`;

export const loadSection = (results: readonly LoadResult[], { cerbos }: Peers): string => {
  let text = `## Load test of a policy server

Pages of 10 and 11 decisions over companies with 9 policies each, after Cerbos' own load test: the same questions and answers for both
(${cerbos === null ? 'no Cerbos for this machine' : `Cerbos ${cerbos.version}, audit and schemas off`}; the hub in production configuration: token verified, decisions recorded). 5 connections, 100 calls in flight.

| engine | policies | CPU µs a request | requests a second of CPU | decisions a second of CPU | p50 ms | p99 ms | failed | times Cerbos | ≥ 5 |
|---|---|---|---|---|---|---|---|---|---|
`;
  for (const { policies, hub, cerbos: peer } of results)
    for (const [name, one] of [
      ['Security Hub', hub],
      ['Cerbos', peer],
    ] as const) {
      if (one === null) continue;
      const times = one === hub && peer !== null ? peer.cpuMicros / hub.cpuMicros : null;
      text += row(name, number(policies), number(one.cpuMicros), number(1e6 / one.cpuMicros), number(one.perCpuSecond), number(one.p50, 2), number(one.p99, 2), one.failed, times === null ? '' : number(times, 1), times === null ? '' : mark(times >= 5)); // biome-ignore format: one line of the table
    }
  const first = results[0]?.same.cpuMicros ?? 1;
  text += `
The same two requests, with more and more policies around them (flat within 20 %):

| policies | CPU µs a request | against the first | met |
|---|---|---|---|
`;
  for (const { policies, same } of results)
    text += row(number(policies), number(same.cpuMicros, 1), flatness(first, same.cpuMicros), mark(same.cpuMicros <= first * 1.2));
  return text;
};

const askedLines = (who: string, { rate, activeIn, calm, changing }: AskedResult): string => {
  const what = `${who}, ${number(rate)} checks a second`;
  const failed = changing.failed + calm.failed;
  return (
    row(`${what}: until it decides by it, the slowest`, `${number(activeIn)} ms`, '< 1,000 ms', mark(activeIn < 1000)) +
    row(
      `${what}: checks while it changes (${number(changing.checks)}, ${number(failed)} failed), p50`,
      `${number(changing.p50, 2)} ms, ${number(calm.p50, 2)} ms while nothing changes`,
      '',
      '',
    ) +
    row(
      `${what}: checks while it changes, p99`,
      `${number(changing.p99, 2)} ms, ${number(calm.p99, 2)} ms while nothing changes`,
      '≤ 5 ms',
      mark(changing.p99 <= 5 && failed === 0),
    ) +
    row(
      `${what}: longest that its event loop was held while it changes`,
      `${number(changing.held?.longest ?? 0, 1)} ms, ${number(calm.held?.longest ?? 0, 1)} ms while nothing changes`,
      '≤ 5 ms',
      mark((changing.held?.longest ?? 0) <= 5),
    )
  );
};

export const changeSection = ({ hears, writes }: ChangeResult): string =>
  `## A policy changed among all those

Two hundred changes, a dozen a second. Asked of one replica that has a core, so many times a second whether it has answered or not; a time counts
from when the check was due, as the load sees it. The load, a process of its own, another replica and the stores share the other core, where the load
goes first if the system lets it, and collects its own garbage before it counts: callers have machines of their own. How long the event loop was held
is from a run of its own, garbage collection included, without what it waits for its core.

| what | measured | budget | met |
|---|---|---|---|
${hears.map((one) => askedLines('another replica writes', one)).join('')}${writes.map((one) => askedLines('it writes itself', one)).join('')}`;

export const casbinSection = (results: readonly CaseResult[], version: string): string =>
  `## Casbin's table, in process

node-casbin ${version} (\`enforceSync\`, policies in memory) and the hub's evaluator on the same rules, one after the other; both must give the same
answer. Budget: under 10 µs, and the three sizes of roles flat.

| case | rules | node-casbin µs | Security Hub µs | times | met |
|---|---|---|---|---|---|
${results.map(({ name, rules, casbin, hub }) => row(name, number(rules), number(casbin, 1), number(hub, 3), number(casbin / hub), mark(hub < 10))).join('')}`;

export const usersSection = (results: readonly UsersResult[]): string => {
  const first = results[0]?.result.cpuMicros ?? 1;
  return `## A tenant that grows

CheckPermission, warm, about the same 1,000 people (flat within 20 %).

| users | CPU µs | a second of CPU | p50 ms | p99 ms | failed | against the first | met |
|---|---|---|---|---|---|---|---|
${results.map(({ users, result: { cpuMicros, p50, p99, failed, perCpuSecond } }) => row(number(users), number(cpuMicros, 1), number(perCpuSecond), number(p50, 2), number(p99, 2), failed, flatness(first, cpuMicros), mark(cpuMicros <= first * 1.2 && failed === 0))).join('')}`;
};

/** Between its heading and the next. */
export const replaceSection = (whole: string, section: string): string => {
  const heading = section.slice(0, section.indexOf('\n'));
  const start = whole.indexOf(heading);
  if (start === -1) return `${whole.trimEnd()}\n\n${section}`;
  const next = whole.indexOf('\n## ', start);
  return whole.slice(0, start) + section + (next === -1 ? '' : whole.slice(next));
};
