// Door of the identity capability: tenants, users, workloads, and logging in.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { AuditEntry } from '../base/event.ts';
import type { Pager } from '../base/page.ts';
import type { Random } from '../base/random.ts';
import type { Clock, Millis } from '../base/time.ts';
import type { ClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { CreateTracked, Database, ReadHead, Write } from '../storage/storage.ts';
import type { Authorization } from '../authorization/authorization.ts';
import type { TokensDoor } from '../tokens/tokens.ts';
import { bootstrap, createSetupToken, redeemSetupToken } from './bootstrap.ts';
import { createTenant } from './create-tenant.ts';
import { createUser } from './create-user.ts';
import { listTenants, listUsers, listWorkloads, subjectIds } from './list.ts';
import { login, type LoginPorts } from './login.ts';
import { createLookUps } from './look-up.ts';
import type { PasswordPolicy, Passwords } from './password.ts';
import { deleteWorkload, type EndService, putWorkload } from './put-workload.ts';
import { recoverOwner } from './recover-owner.ts';
import { createStanding } from './standing.ts';
import { setPassword } from './set-password.ts';
import type { AttemptLimits, Attempts, LoginPlaces, SetupTokens, TenantLists, TenantStore, UserStore, WorkloadStore } from './stores.ts';
import { changeTenantStatus } from './suspend-tenant.ts';
import { changeUserStatus } from './suspend-user.ts';
import { updateTenant } from './update-tenant.ts';
import { updateUser } from './update-user.ts';

export type { AssignRoles, AskedUser } from './create-user.ts';
export type { FirstApiKey, FirstCreated, FirstTenant } from './bootstrap.ts';
export type { LoginRequest } from './login.ts';
export type { RiskLevel, TenantPolicy } from './policy.ts';
export type { Tenant } from './tenant.ts';
export type { User } from './user.ts';
export { mightOf, spiffeIdOf, type NewWorkload, type Workload } from './workload.ts';

/** What identity asks of other capabilities. */
export interface IdentityPorts {
  readonly tokens: Pick<TokensDoor, 'open' | 'bind' | 'terms' | 'logout' | 'endUser' | 'watermarkUntil'>;
  readonly authorization: Pick<
    Authorization,
    'assignRoles' | 'forgetService' | 'requireOtherOwner' | 'rights' | 'rightsOf' | 'holding' | 'holds' | 'outranks' | 'mightOf'
  >;
  /** Inside the deletion of a workload: ends what was issued for it. */
  readonly endService: EndService;
  /** Names of all methods there are, such as `ValidateToken`. */
  readonly methodNames: () => ReadonlySet<string>;
}

/** What the wire brings. */
export interface IdentityDeps extends IdentityPorts {
  readonly db: Database;
  readonly write: Write;
  readonly readHead: ReadHead;
  readonly tracked: CreateTracked;
  readonly pager: Pager;
  readonly random: Random;
  readonly clock: Pick<Clock, 'now'>;
  readonly claim: ClaimIdempotency;
  readonly loginEnded: LoginPorts['loginEnded'];
  readonly refused: (entry: AuditEntry) => void;
  readonly accountSecret: Uint8Array;
  readonly passwords: Passwords;
  readonly policy: PasswordPolicy;
  readonly limits: AttemptLimits;
  readonly longestTokenLife: Millis;
  readonly setupTokenLife: Millis;
  readonly tenants: TenantStore;
  readonly tenantLists: TenantLists;
  readonly users: UserStore;
  readonly attempts: Attempts;
  readonly places: LoginPlaces;
  readonly placeSecret: Uint8Array;
  readonly workloads: WorkloadStore;
  readonly setupTokens: SetupTokens;
}

export const createIdentity = (deps: IdentityDeps) => {
  const lookUps = createLookUps(deps);
  const standing = createStanding(deps.authorization, deps.clock);
  // Bound late: the other doors are put together after this one.
  const ports = {
    ...deps,
    ...lookUps,
    ...standing,
    sessionTerms: (...one: Parameters<TokensDoor['terms']>) => deps.tokens.terms(...one),
    openSession: (opening: Parameters<TokensDoor['open']>[0]) => deps.tokens.open(opening),
    forgetService: (...one: Parameters<Authorization['forgetService']>) => deps.authorization.forgetService(...one),
    bind: (...one: Parameters<TokensDoor['bind']>) => deps.tokens.bind(...one),
    watermarkUntil: () => deps.tokens.watermarkUntil(),
    endSessions: (...one: Parameters<TokensDoor['endUser']>) => deps.tokens.endUser(...one),
  };
  return {
    ...lookUps,
    login: login(ports),
    logout: (refreshToken: string, call: Call) => deps.tokens.logout(refreshToken, call),
    createTenant: createTenant(ports),
    updateTenant: updateTenant(ports),
    changeTenantStatus: changeTenantStatus(ports),
    listTenants: listTenants(ports),
    createUser: createUser(ports),
    updateUser: updateUser(ports),
    changeUserStatus: changeUserStatus(ports),
    setPassword: setPassword(ports),
    listUsers: listUsers(ports),
    rolesOf: (tenantId: TenantId, userIds: readonly string[]) => standing.rolesOf(tenantId, userIds),
    holds: (call: Call, permission: string) => standing.holds(call, permission),
    putWorkload: putWorkload(ports),
    deleteWorkload: deleteWorkload(ports),
    listWorkloads: listWorkloads(ports),
    subjectIds: subjectIds(ports),
    bootstrap: bootstrap(ports),
    createSetupToken: createSetupToken(ports),
    redeemSetupToken: redeemSetupToken(ports),
    recoverOwner: recoverOwner(ports),
  };
};

export type Identity = ReturnType<typeof createIdentity>;
