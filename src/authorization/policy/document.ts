// A policy document once it is read: plain data, every field present, names in their own shape. docs/policies.md describes it for people.

import type { AccessWindow } from '../../base/access-window.ts';

export const API_VERSION = 'securityhub/v1';
export const KINDS = ['ResourcePolicy', 'EnvironmentPolicy', 'PrincipalPolicy', 'SecurityPolicy', 'ConditionSet'] as const;
export type Kind = (typeof KINDS)[number];

/** Resource types that no policy speaks of, wildcards included. */
export const UNSPEAKABLE: readonly string[] = ['installation', 'policies'];

/** The set of the installation, which stands above those of all tenants. */
export const INSTALLATION = '';

/** Where a rule stands: what the installation says comes before what the tenant says, and that before what one resource type says. */
export type Layer = 'installation' | 'tenant' | 'resource_type';

/** Times of the week, and from when to when they count at all. */
export interface TimeWindow extends AccessWindow {
  /** Milliseconds since 1970; null = no bound. */
  readonly notBefore: number | null;
  readonly notAfter: number | null;
}

export interface Rule {
  readonly name: string;
  readonly effect: 'allow' | 'deny';
  /** A resource type; '*' = all but the installation's own, only where it denies. */
  readonly resource: string;
  /** '*' = all. */
  readonly actions: readonly string[];
  /** Each list that is not empty narrows: any of it must apply. `principals` are `<type>:<id>`. */
  readonly principals: readonly string[];
  readonly roles: readonly string[];
  readonly environments: readonly string[];
  readonly workloads: readonly string[];
  readonly timeWindows: readonly TimeWindow[];
  /** All must hold. '' = none of its own; `conditions` name those of condition sets. */
  readonly condition: string;
  readonly conditions: readonly string[];
  readonly obligations: readonly string[];
  /** For people, said in the decision. */
  readonly reason: string;
}

/** What everybody must meet who asks within the scope of the policy: who does not is denied. */
export interface Requirements {
  readonly resource: string;
  readonly actions: readonly string[];
  readonly environments: readonly string[];
  readonly workloads: readonly string[];
  /** All of them. */
  readonly permissions: readonly string[];
  /** One of them; empty = any. */
  readonly roles: readonly string[];
  readonly mfa: boolean;
  /** Within one of them; empty = always. */
  readonly timeWindows: readonly TimeWindow[];
  /** Go with every answer that allows. */
  readonly obligations: readonly string[];
}

export type MaskKind = 'full' | 'partial' | 'hash' | 'null';
export const MASKS: readonly MaskKind[] = ['full', 'partial', 'hash', 'null'];

export interface Mask {
  readonly field: string;
  readonly mask: MaskKind;
  readonly resource: string;
  readonly actions: readonly string[];
  /** Who sees the field as it is. */
  readonly exceptRoles: readonly string[];
  /** Masked only where it holds; '' = always. */
  readonly condition: string;
}

export interface PolicyDocument {
  readonly kind: Kind;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly requirements: Requirements | null;
  readonly rules: readonly Rule[];
  readonly masks: readonly Mask[];
  /** Resources of the type count as this at least; '' = as they are. */
  readonly classification: string;
  /** Of a ConditionSet, by name. */
  readonly named: Readonly<Record<string, string>>;
  /** The resource type that it is about, and whose attributes its conditions may read; '*' = none in particular. */
  readonly about: string;
}

/** Every condition of a document, by its path. */
export const conditionsOf = (
  document: PolicyDocument,
): readonly { readonly path: string; readonly source: string; readonly type: string }[] =>
  [
    ...document.rules.map((rule, index) => ({ path: `spec.rules[${index}].condition`, source: rule.condition, type: rule.resource })),
    ...document.masks.map((mask, index) => ({ path: `spec.masks[${index}].condition`, source: mask.condition, type: mask.resource })),
    ...Object.entries(document.named).map(([name, source]) => ({ path: `spec.conditions.${name}`, source, type: document.about })),
  ].filter(({ source }) => source !== '');

export const layerOf = (installation: boolean, resource: string): Layer =>
  installation ? 'installation' : resource === '*' ? 'tenant' : 'resource_type';
