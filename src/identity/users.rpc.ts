// Window of users.
import type { Call } from '../base/call.ts';
import { isUser, tenantOf } from '../base/caller.ts';
import { constraintsFrom, printConstraints } from '../base/constraints.ts';
import { badField, Fault } from '../base/fault.ts';
import { optionalTimestamp, timestampOf } from '../base/proto-time.ts';
import { seconds } from '../base/time.ts';
import {
  type CreateUserResponse,
  type GetUserResponse,
  type ListUsersResponse,
  type ReactivateUserResponse,
  type SetPasswordResponse,
  type SuspendUserResponse,
  type UpdateUserResponse,
  type User as Printed,
  UserServiceService,
} from '../gen/securityhub/v1/user.ts';
import { type Service, service } from '../server/rpc/define.ts';
import type { Identity, User } from './identity.ts';

type Door = Pick<
  Identity,
  'createUser' | 'updateUser' | 'getUser' | 'listUsers' | 'changeUserStatus' | 'setPassword' | 'rolesOf' | 'holds'
>;

const printedWith = (user: User, roles: readonly string[]): Printed => ({
  id: user.userId,
  tenantId: user.tenantId,
  username: user.username,
  email: user.email,
  firstName: user.firstName,
  lastName: user.lastName,
  roles: [...roles],
  status: user.status,
  metadata: { ...user.metadata },
  createdAt: timestampOf(user.createdAt),
  updatedAt: timestampOf(user.updatedAt),
  lastLoginAt: optionalTimestamp(user.lastLoginAt),
  lockedUntil: optionalTimestamp(user.lockedUntil),
  constraints: printConstraints(user.constraints),
});

/** The user a request names; '' = the one the caller acts for. */
const userNamed = (userId: string, { caller }: Call): string => {
  if (userId !== '') return userId;
  if (caller.kind === 'user') return caller.userId;
  if (caller.kind === 'api_key') return caller.ownerId;
  throw badField('user_id', 'is needed: this caller is no user');
};

const WRITE = { permission: 'users:write', across: true } as const;
const CHANGE = { audit: 'in-transaction', limit: 'manage', deadline: seconds(10) } as const;
const READ = { audit: 'none', limit: 'manage', deadline: seconds(10), idempotency: 'safe' } as const;

export const userService = (identity: Door): Service => {
  const printed = async (user: User): Promise<Printed> => {
    const roles = await identity.rolesOf(user.tenantId, [user.userId]);
    return printedWith(user, roles.get(user.userId) ?? []);
  };
  /** Rows that a user may use for itself check the tenant here: another one needs rights over the installation. */
  const tenantNamed = async (tenantId: string, call: Call): Promise<string> =>
    tenantOf(call.caller, tenantId, await identity.holds(call, 'installation:tenants'));

  return service(UserServiceService, {
    createUser: {
      ...CHANGE,
      access: WRITE,
      idempotency: 'keyed',
      async handle(request, call): Promise<CreateUserResponse> {
        const tenantId = tenantOf(call.caller, request.tenantId, true);
        const { user, revision } = await identity.createUser({ ...request, tenantId, metadata: request.metadata ?? {} }, call);
        return { user: await printed(user), revision };
      },
    },
    getUser: {
      ...READ,
      access: { across: true },
      async handle(request, call): Promise<GetUserResponse> {
        const tenantId = await tenantNamed(request.tenantId, call);
        const userId = userNamed(request.userId, call);
        if (!isUser(call.caller, tenantId, userId) && !(await identity.holds(call, 'users:read')))
          throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', 'looking at others needs users:read', {
            meta: { permission: 'users:read' },
          });
        return { user: await printed(await identity.getUser(tenantId, userId)) };
      },
    },
    listUsers: {
      ...READ,
      access: { permission: 'users:read', across: true },
      async handle(request, call): Promise<ListUsersResponse> {
        const tenantId = tenantOf(call.caller, request.tenantId, true);
        const { items, next } = await identity.listUsers({ ...request, tenantId });
        const roles = await identity.rolesOf(
          tenantId,
          items.map((user) => user.userId),
        );
        return { users: items.map((user) => printedWith(user, roles.get(user.userId) ?? [])), nextPageToken: next };
      },
    },
    updateUser: {
      ...CHANGE,
      access: WRITE,
      idempotency: 'idempotent',
      async handle({ constraints, ...request }, call): Promise<UpdateUserResponse> {
        const tenantId = tenantOf(call.caller, request.tenantId, true);
        const limits = constraints === undefined ? undefined : constraintsFrom('constraints', constraints);
        const { userId, email, firstName, lastName, metadata } = request;
        const asked = { tenantId, userId, email, firstName, lastName, metadata, constraints: limits };
        const { user, revision } = await identity.updateUser(asked, call);
        return { user: await printed(user), revision };
      },
    },
    suspendUser: {
      ...CHANGE,
      access: WRITE,
      idempotency: 'idempotent',
      async handle({ tenantId, userId, reason }, call): Promise<SuspendUserResponse> {
        const asked = { tenantId: tenantOf(call.caller, tenantId, true), userId, status: 'suspended', reason } as const;
        const { user, revision } = await identity.changeUserStatus(asked, call);
        return { user: await printed(user), revision };
      },
    },
    reactivateUser: {
      ...CHANGE,
      access: WRITE,
      idempotency: 'idempotent',
      async handle({ tenantId, userId, reason }, call): Promise<ReactivateUserResponse> {
        const asked = { tenantId: tenantOf(call.caller, tenantId, true), userId, status: 'active', reason } as const;
        const { user, revision } = await identity.changeUserStatus(asked, call);
        return { user: await printed(user), revision };
      },
    },
    setPassword: {
      ...CHANGE,
      access: { across: true },
      limit: 'login',
      inPerson: true,
      idempotency: 'none',
      async handle(request, call): Promise<SetPasswordResponse> {
        const tenantId = await tenantNamed(request.tenantId, call);
        return identity.setPassword({ ...request, tenantId, userId: userNamed(request.userId, call) }, call);
      },
    },
  });
};
