// What a tenant, a role or a user is limited by, and what that comes to when several apply: the strictest of each. Pure.
import { type AccessWindow, newWindows } from './access-window.ts';
import { canonicalJson } from './canonical.ts';
import { badField } from './fault.ts';

/** As set on one tenant, role or user. Everything empty = no limit. */
export interface Constraints {
  readonly accessWindows: readonly AccessWindow[];
  /** Permission patterns that need a second factor. */
  readonly requireMfaFor: readonly string[];
  readonly dataResidency: string;
  /** Of a tenant: the consent that is asked for now. Of a user: the one that was given. */
  readonly consentVersion: string;
  readonly complianceFlags: readonly string[];
  /** Claims nobody here reads. */
  readonly custom: Readonly<Record<string, unknown>>;
}

/** All that applies to a subject together; the claims of its tokens. */
export interface Restrictions {
  /** Of each group one window must be open: a group is what one party set. */
  readonly windows: readonly (readonly AccessWindow[])[];
  readonly requireMfaFor: readonly string[];
  readonly dataResidency: string;
  /** The consent that the subject gave. */
  readonly consentVersion: string;
  readonly complianceFlags: readonly string[];
  readonly custom: Readonly<Record<string, unknown>>;
}

export const NO_RESTRICTIONS: Restrictions = {
  windows: [],
  requireMfaFor: [],
  dataResidency: '',
  consentVersion: '',
  complianceFlags: [],
  custom: {},
};

/** A token carries so many flags, and patterns; more are cut. */
export const CARRIED = 48;

const CUSTOM_MAX = 1024;
const CUSTOM_MEMBERS = 16;
const WORD = /^[\x21-\x7e]{0,64}$/;
const FLAG = /^[a-z0-9][a-z0-9_.-]{0,31}$/;
const SIDE = '(?:\\*|[a-z][a-z0-9_.-]{0,63})';
const PATTERN = new RegExp(`^(?:\\*|${SIDE}:${SIDE})$`);

const each = (field: string, texts: readonly string[], pattern: RegExp, wanted: string): readonly string[] => {
  const bad = texts.findIndex((text) => !pattern.test(text));
  if (bad >= 0) throw badField(`${field}[${bad}]`, wanted);
  return [...new Set(texts)].toSorted();
};

/** Claims of somebody's own: bounded, and nothing that a JSON column cannot keep. */
const newCustom = (field: string, custom: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const text = canonicalJson(custom);
  if (Object.keys(custom).length > CUSTOM_MEMBERS) throw badField(field, `must not have more than ${CUSTOM_MEMBERS} members`);
  if (Buffer.byteLength(text) > CUSTOM_MAX) throw badField(field, `must not be larger than ${CUSTOM_MAX} bytes as JSON`);
  if (text.includes('\\u0000')) throw badField(field, 'must not hold NUL characters');
  return custom;
};

/** In one spelling; INVALID_ARGUMENT that names the field otherwise. Bounds of lengths and numbers stand in the proto. */
const newConstraints = (field: string, asked: Constraints): Constraints => {
  if (!WORD.test(asked.dataResidency)) throw badField(`${field}.data_residency`, 'must be a word of printable ASCII');
  if (!WORD.test(asked.consentVersion)) throw badField(`${field}.consent_version`, 'must be a word of printable ASCII');
  return {
    accessWindows: newWindows(`${field}.access_windows`, asked.accessWindows),
    requireMfaFor: each(`${field}.require_mfa_for`, asked.requireMfaFor, PATTERN, '<resource type>:<action>, "*" for either side'),
    dataResidency: asked.dataResidency,
    consentVersion: asked.consentVersion,
    complianceFlags: each(`${field}.compliance_flags`, asked.complianceFlags, FLAG, 'must be a lower-case word such as gdpr'),
    custom: newCustom(`${field}.custom`, asked.custom),
  };
};

/** What a request's message says; nothing set is no limit. */
export const constraintsFrom = (
  field: string,
  message: (Omit<Constraints, 'custom'> & { readonly custom: Constraints['custom'] | undefined }) | undefined,
): Constraints | null => {
  if (message === undefined) return null;
  const read = newConstraints(field, { ...message, custom: message.custom ?? {} });
  return isUnconstrained(read) ? null : read;
};

/** As a message prints them; undefined where there are none. */
export const printConstraints = (one: Constraints | null | undefined) =>
  one === null || one === undefined
    ? undefined
    : {
        accessWindows: one.accessWindows.map(({ days, ...rest }) => ({ ...rest, days: [...days], group: 0 })),
        requireMfaFor: [...one.requireMfaFor],
        dataResidency: one.dataResidency,
        consentVersion: one.consentVersion,
        complianceFlags: [...one.complianceFlags],
        custom: Object.keys(one.custom).length === 0 ? undefined : { ...one.custom },
      };

const isUnconstrained = (one: Constraints): boolean =>
  one.accessWindows.length + one.requireMfaFor.length + one.complianceFlags.length === 0 &&
  one.dataResidency === '' &&
  one.consentVersion === '' &&
  Object.keys(one.custom).length === 0;

const union = (lists: readonly (readonly string[])[]): readonly string[] => [...new Set(lists.flat())].toSorted();

/**
 * Tenant, roles and user together, null where nothing applies: every party's windows, patterns and flags count; where the data must stay
 * is said by whoever stands nearest to the user; the consent is the user's.
 */
export const restrictionsOf = (
  tenant: Constraints | null,
  roles: readonly Constraints[],
  user: Constraints | null,
): Restrictions | null => {
  const layers = [...(tenant === null ? [] : [tenant]), ...roles, ...(user === null ? [] : [user])];
  if (layers.every(isUnconstrained)) return null;
  const windows = layers.map((layer) => layer.accessWindows).filter((group) => group.length > 0);
  return {
    windows,
    requireMfaFor: union(layers.map((layer) => layer.requireMfaFor)),
    dataResidency: layers.findLast((layer) => layer.dataResidency !== '')?.dataResidency ?? '',
    consentVersion: user?.consentVersion ?? '',
    complianceFlags: union(layers.map((layer) => layer.complianceFlags)),
    custom: { ...tenant?.custom, ...user?.custom },
  };
};

type Sides = readonly [string, string];
const sidesOf = (pattern: string): Sides => {
  const at = pattern.indexOf(':');
  return at < 0 ? [pattern, '*'] : [pattern.slice(0, at), pattern.slice(at + 1)];
};
const meet = (a: string, b: string): boolean => a === b || a === '*' || b === '*';

/** Says whether a permission, or any part of a pattern, falls under one of the patterns; they are read once. */
export const createMatcher = (patterns: readonly string[]): ((permission: string) => boolean) => {
  const all = patterns.map(sidesOf);
  return (permission) => {
    const [type, action] = sidesOf(permission);
    for (const [t, a] of all) if (meet(t, type) && meet(a, action)) return true;
    return false;
  };
};
