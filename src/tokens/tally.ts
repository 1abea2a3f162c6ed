// Sessions of a tenant added up as they are found; their users too, or a fair sample of them.
import type { SessionStatistics } from './sessions.ts';

/** Sessions that are alike. */
export interface Alike {
  readonly authMethod: string;
  readonly deviceType: string;
  readonly mfaVerified: boolean;
  /** Bound to a key. */
  readonly bound: boolean;
  readonly count: number;
  /** Of the users they belong to those that are in the sample, as numbers; the same one may come twice. */
  readonly users: readonly number[];
}

export interface Tally {
  add(alike: Alike): void;
  total(): SessionStatistics;
}

/** @param share one user in so many is in the sample; 1 = all, and their number is no estimate. */
export const createTally = (share: number): Tally => {
  const found = { active: 0, mfaVerified: 0, bound: 0 };
  // Maps: names are whatever clients call their devices.
  const byAuthMethod = new Map<string, number>();
  const byDeviceType = new Map<string, number>();
  const users = new Set<number>();
  return {
    add({ authMethod, deviceType, mfaVerified, bound, count, users: sampled }) {
      found.active += count;
      if (mfaVerified) found.mfaVerified += count;
      if (bound) found.bound += count;
      byAuthMethod.set(authMethod, (byAuthMethod.get(authMethod) ?? 0) + count);
      byDeviceType.set(deviceType, (byDeviceType.get(deviceType) ?? 0) + count);
      for (const user of sampled) users.add(user);
    },
    total: () => ({
      ...found,
      // Never more users than sessions, nor none where there are sessions.
      users: Math.min(found.active, Math.max(users.size * share, Math.min(1, found.active))),
      byAuthMethod: Object.fromEntries(byAuthMethod),
      byDeviceType: Object.fromEntries(byDeviceType),
    }),
  };
};
