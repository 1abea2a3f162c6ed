// Creates an API key for the calling user; its secret is shown once. Nobody gives a key more than he holds himself.
import type { Call, MaybePromise } from '../base/call.ts';
import { type Caller, subjectOf, type TenantId } from '../base/caller.ts';
import { eventOf, type AuditEntry } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Metadata, newMetadata } from '../base/metadata.ts';
import type { Random } from '../base/random.ts';
import { scopeCovers } from '../base/scope.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { ClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { Change, Tx, Write } from '../storage/storage.ts';
import { type ApiKey, apiKeyNotFound, endOf, readable } from './api-key.ts';
import type { ApiKeyStore } from './api-keys.ts';
import { isPermission } from './permissions.ts';
import { displayPrefix, hashSecret, makeSecret, type SecretKeys } from './secret.ts';

export interface AskedKey {
  readonly tenantId: TenantId;
  readonly name: string;
  readonly description: string;
  readonly permissions: readonly string[];
  readonly scopes: readonly string[];
  readonly ttl: Millis | null;
  readonly expiresAt: Instant | null;
  readonly metadata: Metadata;
  readonly idempotencyKey: string;
}

export interface CreatedKey {
  readonly key: ApiKey;
  /** null on a replay: it was shown then. */
  readonly secret: string | null;
  readonly revision: number;
}

export interface CreatePorts {
  readonly write: Write;
  readonly random: Random;
  readonly secretKeys: SecretKeys;
  readonly keys: Pick<ApiKeyStore, 'insert' | 'find'>;
  readonly claim: ClaimIdempotency;
  /** 0 = no bound. */
  readonly maxLife: Millis;
  readonly holding: (caller: Caller) => MaybePromise<{ holds(permission: string): boolean }>;
}

const lacking = (reason: string, what: string): Fault =>
  new Fault('PERMISSION_DENIED', reason, `a key cannot have what its creator lacks: ${what}`, { meta: { permission: what } });

/** A key belongs to a person, who can be suspended and asked. */
const ownerOf = (caller: Caller): string => {
  if (caller.kind === 'user') return caller.userId;
  if (caller.kind === 'api_key') return caller.ownerId;
  throw new Fault('FAILED_PRECONDITION', 'OWNER_REQUIRED', 'an API key belongs to a user: a workload has its certificate');
};

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

const checkScopes = (caller: Caller, scopes: readonly string[]): void => {
  const bad = scopes.findIndex((scope) => !SCOPE.test(scope));
  if (bad >= 0) throw badField(`scopes[${bad}]`, 'must be a scope: printable ASCII without blanks, quotes and backslashes');
  const own = caller.kind === 'user' || caller.kind === 'api_key' ? caller.scopes : [];
  if (own.length === 0) return;
  if (scopes.length === 0) throw lacking('SCOPE_MISSING', 'unbounded scopes');
  const beyond = scopes.find((scope) => !scopeCovers(own, scope));
  if (beyond !== undefined) throw lacking('SCOPE_MISSING', beyond);
};

const checkPermissions = async ({ holding }: CreatePorts, caller: Caller, permissions: readonly string[]): Promise<void> => {
  const bad = permissions.findIndex((permission) => !isPermission(permission));
  if (bad >= 0) throw badField(`permissions[${bad}]`, 'must be <resource type>:<action>');
  const held = await holding(caller);
  const beyond = permissions.find((permission) => !held.holds(permission));
  if (beyond !== undefined) throw lacking('PERMISSION_MISSING', beyond);
};

const made = ({ random, secretKeys }: CreatePorts, rest: Omit<ApiKey, 'keyId' | 'prefix' | 'secretHash' | 'revokedAt' | 'lastUsedAt'>) => {
  const { keyId, text } = makeSecret(secretKeys, rest.tenantId, random);
  const stored = { prefix: displayPrefix(rest.tenantId, keyId), secretHash: hashSecret(secretKeys, text) };
  const key: ApiKey = { ...rest, ...stored, keyId, revokedAt: null, lastUsedAt: null };
  return { key, text };
};

/** What a key makes ends with it at the latest, or a leaked key that ends would go on under another name. EXPIRY_INVALID for more. */
const endWithin = (maker: ApiKey | null, asked: Pick<AskedKey, 'ttl' | 'expiresAt'>, end: Instant | null): Instant | null => {
  if (maker === null || maker.expiresAt === null || (end !== null && end <= maker.expiresAt)) return end;
  if (asked.ttl === null && asked.expiresAt === null) return maker.expiresAt;
  throw badField(asked.ttl === null ? 'expires_at' : 'ttl', 'must not outlive the key that asks for it', 'EXPIRY_INVALID');
};

const createdEvent = (call: Call, key: ApiKey): AuditEntry => {
  const { name, permissions, scopes, expiresAt, ownerId } = key;
  return eventOf(call, key.tenantId, 'api_key.created', `api_key:${key.keyId}`, {
    details: { name, permissions, scopes, expiresAt, ownerId },
  });
};

export const createApiKey =
  (ports: CreatePorts) =>
  async (asked: AskedKey, call: Call): Promise<CreatedKey> => {
    const { tenantId } = asked;
    const ownerId = ownerOf(call.caller);
    const permissions = [...new Set(asked.permissions)];
    const scopes = [...new Set(asked.scopes)];
    checkScopes(call.caller, scopes);
    const expiresAt = endOf(asked.ttl, asked.expiresAt, ports.maxLife, call.now);
    const words = { name: readable('name', asked.name), description: readable('description', asked.description, true) };
    const metadata = newMetadata(asked.metadata);
    await checkPermissions(ports, call.caller, permissions);
    const asking = made(ports, { ...words, tenantId, ownerId, permissions, scopes, metadata, createdAt: call.now, expiresAt });
    const request = [words, permissions, scopes, asked.ttl, asked.expiresAt, metadata];
    const { result, revision } = await ports.write<Omit<CreatedKey, 'revision'>>(tenantId, async (tx) => {
      const maker = call.caller.kind === 'api_key' ? await ports.keys.find(tx, tenantId, call.caller.keyId) : null;
      const key: ApiKey = { ...asking.key, expiresAt: endWithin(maker, asked, expiresAt) };
      const earlier = await ports.claim(tx, { tenantId, call, key: asked.idempotencyKey, request, objectId: key.keyId });
      if (earlier !== null) {
        const there = await ports.keys.find(tx, tenantId, earlier);
        if (there === null) throw apiKeyNotFound();
        return { result: { key: there, secret: null } };
      }
      const by = subjectOf(call.caller);
      await ports.keys.insert(tx, key, `${by.type}:${by.id}`);
      return { result: { key, secret: asking.text }, events: [createdEvent(call, key)] };
    });
    return { ...result, revision };
  };

/** The administrator's first key, in the transaction that creates the administrator. */
export const createFirstKey =
  (ports: CreatePorts) =>
  (permissions: readonly string[]) =>
  async (
    tx: Tx,
    { tenantId, userId }: { readonly tenantId: TenantId; readonly userId: string },
    call: Call,
  ): Promise<{ readonly secret: string; readonly changes: readonly Change[]; readonly events: readonly AuditEntry[] }> => {
    const words = { name: 'bootstrap', description: 'Made at the first start.', metadata: {} };
    const { key, text } = made(ports, {
      ...words,
      tenantId,
      ownerId: userId,
      permissions,
      scopes: [],
      createdAt: call.now,
      expiresAt: endOf(null, null, ports.maxLife, call.now),
    });
    await ports.keys.insert(tx, key, `user:${userId}`);
    return { secret: text, changes: [], events: [createdEvent(call, key)] };
  };
