// What a policy has to do with the others of its set: named conditions that it offers and needs.
import type { PolicyDocument } from './document.ts';

/** A policy of the active set, as far as others depend on it. */
export interface Standing {
  readonly name: string;
  /** Names of conditions it offers and needs, `<name>:<resource type>`. */
  readonly offers: readonly string[];
  readonly needs: readonly string[];
}

export const standingOf = (document: PolicyDocument): Standing => ({
  name: document.name,
  offers: Object.keys(document.named).map((name) => `${name}:${document.about}`),
  needs: [...new Set(document.rules.flatMap((rule) => rule.conditions.map((name) => `${name}:${rule.resource}`)))],
});

export const nameOf = (key: string): string => key.slice(0, key.indexOf(':'));
export const typeIn = (key: string): string => key.slice(key.indexOf(':') + 1);
