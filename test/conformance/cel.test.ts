// CEL's own conformance cases against our type checker and our closures.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { cases, outcome } from './cel-cases.ts';

interface Exception {
  readonly reason: string;
  readonly outcome: string;
  readonly suite?: string;
  readonly unchecked?: boolean;
}

interface Data {
  readonly exceptions: readonly Exception[];
  /** Cases that pass, by suite: a case that stops passing is seen even where an exception would cover it. */
  readonly passing: Readonly<Record<string, string>>;
}

const data = JSON.parse(readFileSync(join(import.meta.dirname, '../cases/authorization/cel-exceptions.json'), 'utf8')) as Data;
const results = cases().map((one) => ({ ...one, said: outcome(one) }));
const failing = results.filter(({ said }) => said !== '');

const covers = (exception: Exception, { id, test, said }: (typeof results)[number]): boolean =>
  new RegExp(exception.outcome).test(said) &&
  (exception.suite === undefined || new RegExp(exception.suite).test(id)) &&
  (exception.unchecked === undefined || exception.unchecked === test.disableCheck);

describe('the conformance cases of CEL', () => {
  it('all pass, but for those that we except with a reason', () => {
    const unexplained = failing.filter((one) => !data.exceptions.some((exception) => covers(exception, one)));
    expect(unexplained.map(({ id, test, said }) => `${id}: ${test.expr}: ${said}`)).toEqual([]);
  });

  it('pass in the numbers that stand in the list, no fewer', () => {
    const counts: Record<string, string> = {};
    for (const suite of new Set(results.map(({ id }) => id.split('/')[0] ?? ''))) {
      const all = results.filter(({ id }) => id.startsWith(`${suite}/`));
      counts[suite] = `${all.filter(({ said }) => said === '').length} of ${all.length}`;
    }
    expect(counts).toEqual(data.passing);
  });

  it('make no exception that none of them needs', () => {
    const needed = (exception: Exception): boolean =>
      failing.some((one) => data.exceptions.find((candidate) => covers(candidate, one)) === exception);
    expect(data.exceptions.filter((exception) => !needed(exception)).map(({ reason }) => reason)).toEqual([]);
  });
});
