// The roles and resource types every tenant has from the start. They live in code: nobody can change them, and they cost no rows.
import { UNBOUNDED } from './bounds.ts';
import { type ResourceType, UNDECLARED } from './resource-type.ts';
import type { Role } from './role.ts';

/** Of roles that say something about it. */
const CLEARANCES: ReadonlyMap<string, string> = new Map([
  ['owner', 'top_secret'],
  ['admin', 'restricted'],
]);

const role = (name: string, description: string, permissions: readonly string[], inherits: readonly string[] = []): Role => ({
  ...UNBOUNDED,
  name,
  description,
  permissions,
  inherits,
  clearance: CLEARANCES.get(name) ?? '',
  builtIn: true,
});

/** The role whose last holder cannot be removed. */
export const OWNER = 'owner';
/** May act in every tenant. Only an operator can make another. */
const OPERATOR = 'operator';
/** Whoever holds it may do everything to every resource type that the tenant itself has declared. */
export const ADMIN = 'admin';

export const BUILT_IN_ROLES: readonly Role[] = [
  role(OWNER, 'Everything in the tenant. A tenant always keeps at least one owner.', ['*:*']),
  role(ADMIN, "Runs the tenant: everything but billing and ownership, and every action on the tenant's own resource types.", [
    'conversations:*',
    'config:*',
    'users:*',
    'analytics:*',
    'admin:security',
    'admin:compliance',
    'api_keys:*',
    'encryption_key:*',
    'certificates:*',
    'audit:*',
    'authz:*',
    'context:*',
    'token:*',
    'workloads:*',
    'policies:*',
    'issuers:*',
  ]),
  role(
    'developer',
    'Builds on the tenant: configuration, keys for programs, encryption.',
    [
      'config:*',
      'api_keys:read',
      'api_keys:write',
      'encryption_key:encrypt',
      'encryption_key:decrypt',
      'encryption_key:read',
      'certificates:issue',
      'certificates:read',
      'workloads:read',
      'authz:read',
      'policies:read',
    ],
    ['member'],
  ),
  role(
    'manager',
    'Leads people: their accounts, all conversations, the figures.',
    ['conversations:*', 'users:read', 'users:write', 'analytics:*'],
    ['member'],
  ),
  role('member', 'Works in the tenant.', ['conversations:write'], ['viewer']),
  role('viewer', 'Looks, changes nothing.', ['conversations:read', 'config:read', 'analytics:read']),
  role('api_user', 'A program that works with conversations and encrypts.', [
    'conversations:read',
    'conversations:write',
    'config:read',
    'encryption_key:encrypt',
    'encryption_key:decrypt',
  ]),
  role('custom', 'Nothing of its own: for subjects whose rights are granted one by one.', []),
  role(
    OPERATOR,
    'Runs the installation: creates, lists and suspends tenants, may name any tenant in management calls, rotates and revokes signing keys.',
    ['installation:tenants', 'installation:keys'],
  ),
];

const type = (name: string, description: string, actions: readonly string[], over: Partial<ResourceType> = {}): ResourceType => ({
  ...UNDECLARED,
  name,
  description,
  actions,
  builtIn: true,
  ...over,
});

export const BUILT_IN_RESOURCE_TYPES: readonly ResourceType[] = [
  type('conversations', 'Conversations.', ['read', 'write', 'delete', 'export'], { ownerActions: ['read', 'write', 'delete'] }),
  type('config', 'Configuration.', ['read', 'write', 'flows', 'integrations']),
  type('users', 'User accounts and their roles.', ['read', 'write', 'delete', 'roles']),
  type('analytics', 'Figures.', ['read', 'export']),
  type('admin', 'Administration.', ['billing', 'security', 'compliance']),
  type('api_keys', 'API keys.', ['read', 'write']),
  type('encryption_key', 'Encryption keys.', ['encrypt', 'decrypt', 'manage', 'read']),
  type('certificates', 'Service certificates.', ['issue', 'revoke', 'read']),
  type('audit', 'The audit log.', ['read']),
  type('authz', 'Decisions about others.', ['check', 'assert', 'read']),
  type('context', 'What an edge says about the network.', ['assert']),
  type('token', "Other people's tokens.", ['inspect', 'revoke', 'exchange']),
  type('workloads', 'Registered workloads.', ['read', 'write']),
  type('policies', 'Policies as documents.', ['read', 'write']),
  type('issuers', 'Trusted issuers of foreign tokens.', ['read', 'write']),
  type('installation', 'The installation itself. Covered by no wildcard.', ['tenants', 'keys']),
];
