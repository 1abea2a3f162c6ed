// Restrictions as claims: what limits the use of a token stands in it, and a token that states them in any other shape is none of ours.
import { type AccessWindow, windowProblem } from '../base/access-window.ts';
import { CARRIED, type Restrictions } from '../base/constraints.ts';
import { type JsonObject, member } from './strict-json.ts';

/** What a token carries at most. The hub asks what applies now, so that nothing is lost by a cut. */
const WINDOWS_MAX = 24;
const CUSTOM_MEMBERS = 32;

/** A group is carried whole or not at all: half a group would be another rule. */
const windowsThatFit = (groups: Restrictions['windows']): Restrictions['windows'] => {
  let left = WINDOWS_MAX;
  return groups.filter((group) => {
    const fits = group.length <= left;
    if (fits) left -= group.length;
    return fits;
  });
};

const filled = (name: string, value: string | readonly unknown[]): Readonly<Record<string, unknown>> =>
  value.length === 0 ? {} : { [name]: value };

/** The members of a payload; nothing where nothing applies. */
export const restrictionClaims = (restrictions: Restrictions | null): Readonly<Record<string, unknown>> =>
  restrictions === null
    ? {}
    : {
        ...filled('access_windows', windowsThatFit(restrictions.windows)),
        ...filled('require_mfa_for', restrictions.requireMfaFor.slice(0, CARRIED)),
        ...filled('data_residency', restrictions.dataResidency),
        // Even empty: it tells a token whose use the hub alone can weigh from one that nothing limits.
        consent_version: restrictions.consentVersion,
        ...filled('compliance_flags', restrictions.complianceFlags.slice(0, CARRIED)),
        ...(Object.keys(restrictions.custom).length === 0 ? {} : { custom: restrictions.custom }),
      };

const isText = (value: unknown, longest: number): value is string => typeof value === 'string' && value.length <= longest;
const isTexts = (value: unknown, longest: number): value is string[] =>
  Array.isArray(value) && value.length <= CARRIED && value.every((item) => isText(item, longest));

const windowFrom = (value: unknown): AccessWindow | null => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  const read = (name: string): unknown => member(value as JsonObject, name);
  const [days, start, end, timeZone] = [read('days'), read('start'), read('end'), read('timeZone')];
  if (!isTexts(days, 3) || !isText(start, 5) || !isText(end, 5) || !isText(timeZone, 64)) return null;
  const window = { days, start, end, timeZone };
  return windowProblem(window) === null ? window : null;
};

const windowsFrom = (value: unknown): Restrictions['windows'] | null => {
  if (!Array.isArray(value) || value.length > WINDOWS_MAX) return null;
  const groups: AccessWindow[][] = [];
  for (const group of value) {
    if (!Array.isArray(group) || group.length === 0 || group.length > WINDOWS_MAX) return null;
    const windows = group.map(windowFrom);
    if (windows.includes(null)) return null;
    groups.push(windows as AccessWindow[]);
  }
  return groups;
};

const NAMES = ['access_windows', 'require_mfa_for', 'data_residency', 'consent_version', 'compliance_flags', 'custom'];

/** null where the payload states none; else the restrictions, or the name of the first claim that is wrong. */
export const readRestrictions = (payload: JsonObject): Restrictions | null | string => {
  if (!NAMES.some((name) => Object.hasOwn(payload, name))) return null;
  const [shown = [], patterns = [], residency = '', consent = '', flags = [], custom = {}] = NAMES.map((name) => member(payload, name));
  const windows = windowsFrom(shown);
  if (windows === null) return 'access_windows';
  if (!isTexts(patterns, 129)) return 'require_mfa_for';
  if (!isText(residency, 64)) return 'data_residency';
  if (!isText(consent, 64)) return 'consent_version';
  if (!isTexts(flags, 32)) return 'compliance_flags';
  if (custom === null || typeof custom !== 'object' || Array.isArray(custom) || Object.keys(custom).length > CUSTOM_MEMBERS)
    return 'custom';
  return {
    windows,
    requireMfaFor: patterns,
    dataResidency: residency,
    consentVersion: consent,
    complianceFlags: flags,
    custom: custom as Restrictions['custom'],
  };
};
