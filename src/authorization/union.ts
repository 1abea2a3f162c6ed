// What a set of roles gives together at one moment: shared by every subject that has exactly these roles.
import { windowState } from '../base/access-window.ts';
import type { Constraints } from '../base/constraints.ts';
import type { Instant } from '../base/time.ts';
import { clearanceOf, INTERNAL, type Level } from './classification.ts';
import { createGate, type Gate } from './gate.ts';
import { type PatternSet, patternSet } from './pattern-set.ts';
import type { Permission } from './permission.ts';
import { constraintsOf, permissionsOf, type Role, type RoleLookup, type Way, waysDown } from './role.ts';
import { allowedBy, type Ruling } from './ruling.ts';

/** What is given only where the gate lets through. */
export interface GatedRules {
  readonly gate: Gate;
  readonly allows: PatternSet<Ruling>;
  /** null = says nothing about it. */
  readonly clearance: Level | null;
}

export interface RoleUnion {
  readonly names: readonly string[];
  readonly allows: PatternSet<Ruling>;
  /** null where no role on any way is bounded. */
  readonly gated: readonly GatedRules[] | null;
  /** The highest that the roles give without further ado. */
  readonly clearance: Level;
  /** Limits of these roles, inherited ones included. */
  readonly constraints: readonly Constraints[];
  /** When a role's hours begin or end; null where none has hours. */
  readonly until: Instant | null;
}

interface Hours {
  closed(role: Role): boolean;
  until(): Instant | null;
}

const hoursAt = (now: Instant): Hours => {
  let next: Instant | null = null;
  return {
    closed({ hours }) {
      if (hours.length === 0) return false;
      const { open, until } = windowState(hours, now);
      next = next === null ? until : Math.min(next, until);
      return !open;
    },
    until: () => next,
  };
};

type Entry = { readonly permission: Permission; readonly value: Ruling };

const entriesOf = (ways: readonly Way[], ruling: Ruling): readonly Entry[] =>
  ways.flatMap(({ role }) => permissionsOf(role).map((permission) => ({ permission, value: ruling })));

const highest = (ways: readonly Way[]): Level | null =>
  ways.reduce<Level | null>((most, { role }) => {
    const level = clearanceOf(role.clearance);
    return level === null || (most !== null && most >= level) ? most : level;
  }, null);

const gatedRules = (name: string, ways: readonly Way[], hours: Hours): readonly GatedRules[] => {
  const byGate = Map.groupBy(ways, ({ gated }) => gated.map((role) => role.name).join(','));
  return [...byGate.values()].map((alike) => {
    const gate = createGate(alike[0]?.gated ?? [], hours.closed);
    const ruling = allowedBy(`role:${name}`, gate.conditions);
    return { gate, allows: patternSet(entriesOf(alike, ruling)), clearance: highest(alike) };
  });
};

/** `names`: known ones, sorted. */
export const uniteRoles = (names: readonly string[], lookup: RoleLookup, now: Instant): RoleUnion => {
  const hours = hoursAt(now);
  const all = names.map((name) => ({ name, ways: waysDown(name, lookup) }));
  const free = all.map(({ name, ways }) => ({ name, ways: ways.filter(({ gated }) => gated.length === 0) }));
  const gated = all.flatMap(({ name, ways }) =>
    gatedRules(
      name,
      ways.filter((way) => way.gated.length > 0),
      hours,
    ),
  );
  return {
    names,
    allows: patternSet(free.flatMap(({ name, ways }) => entriesOf(ways, allowedBy(`role:${name}`)))),
    gated: gated.length === 0 ? null : gated,
    clearance: Math.max(INTERNAL, highest(free.flatMap(({ ways }) => ways)) ?? INTERNAL),
    constraints: constraintsOf(names, lookup),
    until: hours.until(),
  };
};
