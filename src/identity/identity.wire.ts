// Joins identity with its stores and its hashing threads.
import { hours, type Millis, minutes } from '../base/time.ts';
import { createClaimIdempotency, forgetIdempotency } from '../storage/idempotency.postgres.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import { createAttempts } from './attempts.postgres.ts';
import { authenticationService } from './authentication.rpc.ts';
import type { identityConfig } from './identity.config.ts';
import { createIdentity, type Identity, type IdentityPorts } from './identity.ts';
import { createLoginPlaces } from './login-places.postgres.ts';
import { createPasswordThreads } from './passwords.worker.ts';
import { setupTokens } from './setup-tokens.postgres.ts';
import { createTenantLists, tenantStore } from './tenants.postgres.ts';
import { tenantService } from './tenants.rpc.ts';
import { userStore } from './users.postgres.ts';
import { userService } from './users.rpc.ts';
import { workloadStore } from './workloads.postgres.ts';
import { workloadService } from './workloads.rpc.ts';

export interface IdentityWire {
  readonly door: Identity;
  readonly services: readonly Service[];
  /** Ends the hashing threads. */
  close(): Promise<void>;
}

export interface IdentitySettings {
  readonly trustDomain: string;
  /** The longest life of any access token this installation hands out. */
  readonly longestTokenLife: Millis;
}

/** From all addresses together an account may fail so many times more. */
const EVERYWHERE = 10;

export const wireIdentity = (
  platform: Platform,
  config: Values<typeof identityConfig>,
  settings: IdentitySettings,
  ports: IdentityPorts,
): IdentityWire => {
  const { db, random, clock, sealer, metrics } = platform;
  const passwords = createPasswordThreads({
    parameters: { memory: config.hashMemory, passes: config.hashPasses, lanes: config.hashLanes },
    threads: config.hashThreads,
    queue: config.hashQueue,
    clock,
    random,
  });
  const attempts = createAttempts(db);
  const places = createLoginPlaces(db);
  const logins = (result: 'success' | 'failure') => metrics.counter('securityhub_logins_total', 'Logins, by how they ended.', { result });
  const ends = { success: logins('success'), failure: logins('failure') };
  const door = createIdentity({
    ...platform,
    ...ports,
    loginEnded: (result) => ends[result].inc(),
    refused: (entry) => platform.audit.refused(entry),
    claim: createClaimIdempotency(sealer.derive('idempotency')),
    accountSecret: sealer.derive('login-account'),
    passwords,
    policy: { minLength: config.passwordMinLength, requireSpecial: config.passwordRequireSpecial },
    limits: {
      perSource: config.maxLoginAttempts,
      perAccount: config.maxLoginAttempts * EVERYWHERE,
      duration: config.lockoutDuration,
    },
    longestTokenLife: settings.longestTokenLife,
    setupTokenLife: config.setupTokenLife,
    tenants: tenantStore,
    tenantLists: createTenantLists(db),
    users: userStore,
    attempts,
    places,
    placeSecret: sealer.derive('login-place'),
    workloads: workloadStore,
    setupTokens,
  });
  platform.every('login-attempts.forget', minutes(5), () => attempts.sweep(), true);
  platform.every('login-places.forget', hours(1), () => places.sweep(), true);
  platform.every('idempotency.forget', hours(1), forgetIdempotency(db), true);
  return {
    door,
    services: [authenticationService(door), tenantService(door), userService(door), workloadService(door, settings.trustDomain)],
    close: () => passwords.close(),
  };
};
