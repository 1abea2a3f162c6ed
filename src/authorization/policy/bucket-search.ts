// Looks at the rules of buckets that speak of a subject in its situation: by who it is, its groups, its roles, its environment.
import type { Rights } from '../rights.ts';
import type { Situation } from '../situation.ts';
import type { Bucket } from './policy-index.ts';
import type { Questioned } from './rule.ts';

const keys = new WeakMap<Rights, readonly string[]>();

/** Under what a subject's rules are found; the same as long as its rights are. */
export const keysOf = (rights: Rights): readonly string[] => {
  const known = keys.get(rights);
  if (known !== undefined) return known;
  const { subject, groups, roles } = rights;
  const made = [`${subject.type}:${subject.id}`, ...groups.map((name) => `group:${name}`), ...roles.map((name) => `role:${name}`)];
  keys.set(rights, made);
  return made;
};

const searchKeyed = <T, R>(keyed: ReadonlyMap<string, readonly T[]>, keys: readonly string[], look: (item: T) => R | null): R | null => {
  for (const key of keys) {
    const items = keyed.get(key);
    if (items === undefined) continue;
    for (const item of items) {
      const found = look(item);
      if (found !== null) return found;
    }
  }
  return null;
};

const environmentsOf = ({ environment, saidEnvironment }: Situation): readonly string[] =>
  environment === saidEnvironment ? [environment] : [environment, saidEnvironment];

/** The first answer that ends the search; null = looked at all. */
export const search = <T, R>(buckets: readonly Bucket<T>[], { rights, situation }: Questioned, look: (item: T) => R | null): R | null => {
  for (const { any, by, at } of buckets) {
    for (const item of any) {
      const found = look(item);
      if (found !== null) return found;
    }
    const found =
      (by === null ? null : searchKeyed(by, keysOf(rights), look)) ??
      (at === null ? null : searchKeyed(at, environmentsOf(situation), look));
    if (found !== null) return found;
  }
  return null;
};
