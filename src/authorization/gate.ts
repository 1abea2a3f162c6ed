// Whether a role counts in a question: every bounded role on the way to a permission must let it through.
import { type AccessWindow, windowState } from '../base/access-window.ts';
import type { Instant } from '../base/time.ts';
import { addressRanges } from './address-ranges.ts';
import type { Role } from './role.ts';
import { type Ruling, withheld } from './ruling.ts';
import type { Situation } from './situation.ts';

export interface Gate {
  /** null: it counts. Otherwise what stands in the way, a missing second factor last: it can still be shown. */
  failure(situation: Situation): Ruling | null;
  /** What it asks for, in words. */
  readonly conditions: readonly string[];
}

/** The same without the clock: whether a role's hours are on is known when rights are put together. */
interface Test {
  readonly words: string;
  readonly passes: (situation: Situation) => boolean;
  readonly failed: Ruling;
}

const list = (names: readonly string[]): string => names.join(', ');

const windowWords = ({ days, start, end, timeZone }: AccessWindow): string =>
  `${days.length === 0 ? 'daily' : days.join(' ')} ${start}-${end} ${timeZone === '' ? 'UTC' : timeZone}`;

export const hoursWords = (windows: readonly AccessWindow[]): string => windows.map(windowWords).join(' or ');

const among = (names: readonly string[]): ((name: string) => boolean) => {
  const set = new Set(names);
  return (name) => set.has(name);
};

const testsOf = (role: Role, closed: boolean): readonly Test[] => {
  const { name, workloads, environments, addressRanges: ranges, hours, requireMfa } = role;
  const tests: Test[] = [];
  const add = (code: string, words: string, missing: string, passes: Test['passes'], stepUp = false): void => {
    const more = stepUp ? { stepUp, conditions: [words] } : { conditions: [words] };
    tests.push({ words, passes, failed: withheld(code, `role:${name}`, missing, more) });
  };
  if (hours.length > 0) {
    const words = `role:${name} hours ${hoursWords(hours)}`;
    add('DENIED_TIME_WINDOW', words, `it counts only ${hoursWords(hours)}`, () => !closed);
  }
  if (environments.length > 0) {
    const known = among(environments);
    const words = `role:${name} environment in [${list(environments)}]`;
    add('DENIED_CONDITION', words, `it counts only in the environments ${list(environments)}`, ({ environment }) => known(environment));
  }
  if (workloads.length > 0) {
    const known = among(workloads);
    const words = `role:${name} workload in [${list(workloads)}]`;
    add('DENIED_CONDITION', words, `it counts only for the workloads ${list(workloads)}`, ({ workload }) => known(workload));
  }
  if (ranges.length > 0) {
    const contains = addressRanges(ranges);
    const words = `role:${name} address in [${list(ranges)}]`;
    add('DENIED_CONDITION', words, `it counts only at addresses in ${list(ranges)}`, ({ address }) => contains(address));
  }
  if (requireMfa) add('MFA_REQUIRED', `role:${name} second factor`, 'it asks for a second factor', ({ mfaVerified }) => mfaVerified, true);
  return tests;
};

/** `closed`: is it outside the role's hours? */
export const createGate = (roles: readonly Role[], closed: (role: Role) => boolean): Gate => {
  const tests = roles.flatMap((role) => testsOf(role, closed(role)));
  const ordered = [...tests.filter(({ failed }) => failed.stepUp !== true), ...tests.filter(({ failed }) => failed.stepUp === true)];
  return {
    failure(situation) {
      for (const test of ordered) if (!test.passes(situation)) return test.failed;
      return null;
    },
    conditions: tests.map(({ words }) => words),
  };
};

/** The same for whoever has only the instant. */
export const hoursGate = (roles: readonly Role[], now: Instant): Gate =>
  createGate(roles, ({ hours }) => hours.length > 0 && !windowState(hours, now).open);
