// Calls through the whole onion on real stores: what was done and what was refused is found again through SearchEvents.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { wireAudit } from '../../../src/audit/audit.wire.ts';
import type { Caller } from '../../../src/base/caller.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { days, seconds } from '../../../src/base/time.ts';
import { decryptHandler, encryptHandler } from '../../../src/encryption/encryption.rpc.ts';
import { wireEncryption } from '../../../src/encryption/encryption.wire.ts';
import { AuditServiceService, type SearchEventsRequest } from '../../../src/gen/securityhub/v1/audit.ts';
import { EncryptionServiceService } from '../../../src/gen/securityhub/v1/encryption.ts';
import { SecurityHubService } from '../../../src/gen/securityhub/v1/security_hub.ts';
import type { Recorder } from '../../../src/server/platform.ts';
import { service } from '../../../src/server/rpc/define.ts';
import { createInvoker, type Invoker } from '../../../src/server/rpc/invoke.ts';
import { createValidator } from '../../../src/server/descriptors/validate.ts';
import type { Database } from '../../../src/storage/storage.ts';
import { userCaller } from '../../callers.ts';
import { createTestPlatform, type FreshDatabase, freshDatabase, type TestPlatform, waitFor } from '../../harness.ts';

/** A generated method, enough of it to call by bytes. */
interface Rpc<Q, S> {
  readonly path: string;
  readonly requestSerialize: (request: Q) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Q;
  readonly responseDeserialize: (bytes: Buffer) => S;
}

let database: FreshDatabase;
let platform: TestPlatform;
let invoker: Invoker;
let away = false;

const crypto = { limit: 'crypto', deadline: seconds(5), idempotency: 'idempotent' } as const;

beforeAll(async () => {
  database = await freshDatabase();
  const late: { recorder?: Recorder } = {};
  platform = await createTestPlatform({ database, insertEvents: async (tx, events) => late.recorder?.insert(tx, events) });
  // The log can be away while everything else stands: it alone writes as the jobs role here.
  const db: Database = {
    tenant: (id, work) => platform.db.tenant(id, work),
    jobs: (work) => (away ? Promise.reject(new Error('away')) : platform.db.jobs(work)),
  };
  const { recorder, services } = wireAudit({ ...platform, db }, { enabled: true, decisions: { kind: 'all' }, retention: days(365) });
  late.recorder = recorder;
  const holds = (caller: Caller, permission: string): boolean => caller.kind === 'user' && caller.scopes.includes(permission);
  const encryption = wireEncryption(platform, { rotation: 0 }, { holds, defaultKeyName: () => '' });
  const { encrypt, decrypt } = SecurityHubService;
  const calls = service(
    { encrypt, decrypt },
    {
      encrypt: {
        ...crypto,
        access: { permission: 'encryption_key:encrypt' },
        audit: 'sampled',
        handle: encryptHandler(encryption.door),
      },
      decrypt: {
        ...crypto,
        access: { permission: 'encryption_key:decrypt' },
        audit: 'required',
        handle: decryptHandler(encryption.door),
      },
    },
  );
  invoker = createInvoker({
    services: [...services, ...encryption.services, calls],
    caps: { inFlight: 100, streams: 10, streamsPerCaller: 10, batches: 10, waits: 10 },
    ports: {
      ...platform,
      random: systemRandom,
      recorder,
      holds,
      validate: createValidator(),
      pay: () => {},
      shed: () => false,
      authenticate: ({ authorization }) => JSON.parse(authorization) as Caller,
    },
  });
  await platform.start();
});
afterAll(async () => {
  await platform.stop();
  await database.close();
});

const EVERYTHING = ['encryption_key:encrypt', 'encryption_key:decrypt', 'encryption_key:manage', 'encryption_key:read', 'audit:read'];
let tenants = 0;
const admin = (over: { tenantId?: string; scopes?: readonly string[] } = {}): Caller =>
  userCaller(over.tenantId ?? `tenant-${(tenants += 1)}`, 'usr_admin', { scopes: over.scopes ?? EVERYTHING });
const tenantIdOf = (caller: Caller): string => (caller.kind === 'anonymous' ? '' : caller.tenantId);

// Left out fields have their proto3 defaults, as on the wire.
const call = async <Q, S>(rpc: Rpc<Q, S>, caller: Caller, request: Partial<Q>): Promise<S> => {
  const bytes = await invoker.invoke(rpc.path, rpc.requestSerialize({ ...rpc.requestDeserialize(Buffer.alloc(0)), ...request }), {
    peer: { transport: 'local', address: '127.0.0.1', loopback: true, certificate: null },
    deadline: Infinity,
    header: (name) => (name === 'authorization' ? JSON.stringify(caller) : ''),
    onCancel: () => {},
  });
  return rpc.responseDeserialize(bytes);
};
const { searchEvents } = AuditServiceService;
const { createKey, getKey, listKeys, rotateKey, disableKey, enableKey } = EncryptionServiceService;
const { encrypt, decrypt } = SecurityHubService;
const events = async (caller: Caller, request: Partial<SearchEventsRequest> = {}) => (await call(searchEvents, caller, request)).events;
const plaintext = Buffer.from('a secret');

describe('a call is found again', () => {
  it('that encrypted, with the key it used', async () => {
    const caller = admin();
    const { keyId } = await call(encrypt, caller, { plaintext });
    expect(await events(caller, { eventTypes: ['call.encrypt'] })).toMatchObject([
      {
        resource: `encryption_key:${keyId}`,
        action: 'encrypt',
        result: 'success',
        count: 1,
        tenantId: tenantIdOf(caller),
        actor: { type: 'user', id: 'usr_admin' },
      },
    ]);
  });
  it('that decrypted, with the key and what it was for, never with the data', async () => {
    const caller = admin();
    const context = { tenantId: '', classification: 'restricted', purpose: 'payroll', retentionDays: 0, attributes: { iban: 'DE02' } };
    const sealed = await call(encrypt, caller, { plaintext, context });
    expect((await call(decrypt, caller, { ciphertext: sealed.ciphertext, context })).plaintext).toEqual(plaintext);
    const [event] = await events(caller, { eventTypes: ['call.decrypt'] });
    expect(event).toMatchObject({
      resource: `encryption_key:${sealed.keyId}`,
      details: { key_name: 'default', classification: 'restricted', purpose: 'payroll' },
    });
    expect(JSON.stringify(event)).not.toMatch(/DE02|a secret/);
  });
  it('that was refused, with its reason and its method', async () => {
    const caller = admin();
    await expect(call(decrypt, caller, { ciphertext: Buffer.from('noise') })).rejects.toMatchObject({ reason: 'DECRYPTION_FAILED' });
    await expect(call(encrypt, caller, { plaintext, keyName: 'nowhere' })).rejects.toMatchObject({ reason: 'KEY_NOT_FOUND' });
    const nobody = admin({ tenantId: tenantIdOf(caller), scopes: [] });
    await expect(call(listKeys, nobody, {})).rejects.toMatchObject({ code: 'PERMISSION_DENIED', reason: 'PERMISSION_MISSING' });
    const found = await events(caller, { eventTypes: ['call.refused'], result: 'failure' });
    expect(found.map(({ method, reason }) => `${method.slice(15)} ${reason}`).toSorted()).toEqual([
      'EncryptionService/ListKeys PERMISSION_MISSING',
      'SecurityHub/Decrypt DECRYPTION_FAILED',
      'SecurityHub/Encrypt KEY_NOT_FOUND',
    ]);
  });
  it('that changed a key, in the same transaction', async () => {
    const caller = admin();
    await call(createKey, caller, { name: 'k' });
    await call(rotateKey, caller, { keyName: 'k' });
    await call(disableKey, caller, { keyName: 'k', reason: 'leak' });
    await call(enableKey, caller, { keyName: 'k' });
    const found = await events(caller, { eventTypes: ['encryption_key.*'] });
    expect(found.map(({ eventType }) => eventType)).toEqual([
      'encryption_key.enabled',
      'encryption_key.disabled',
      'encryption_key.rotated',
      'encryption_key.created',
    ]);
    expect(found[1]?.details).toEqual({ name: 'k', reason: 'leak' });
  });
  it('by its actor, with or without the type', async () => {
    const caller = admin();
    await call(encrypt, caller, { plaintext });
    expect(await events(caller, { actor: 'user:usr_admin', action: 'encrypt' })).toHaveLength(1);
    expect(await events(caller, { actor: 'usr_admin', action: 'encrypt' })).toHaveLength(1);
    expect(await events(caller, { actor: 'service:usr_admin', action: 'encrypt' })).toHaveLength(0);
  });
  it('by nobody of another tenant', async () => {
    const caller = admin();
    await call(encrypt, caller, { plaintext });
    expect(await events(admin(), {})).toEqual([]);
    await expect(events(admin(), { tenantId: tenantIdOf(caller) })).rejects.toMatchObject({ reason: 'TENANT_FORBIDDEN' });
    await expect(events(admin({ scopes: [] }), {})).rejects.toMatchObject({ reason: 'PERMISSION_MISSING' });
  });
  it('by the operator in any tenant, and in the installation itself', async () => {
    const caller = admin();
    await call(encrypt, caller, { plaintext });
    const operator = admin({ scopes: [...EVERYTHING, 'installation:tenants'] });
    expect(await events(operator, { tenantId: tenantIdOf(caller), action: 'encrypt' })).toHaveLength(1);
    const { tenant_id: nobody } = { tenant_id: '' };
    await platform.db.tenant('any', async (tx) => {
      await tx
        .tables<{ audit_event: Record<string, unknown> }>()
        .insertInto('audit_event')
        .values({
          tenant_id: nobody,
          time: new Date(),
          id: 'evt_1',
          type: 'hub.started',
          actor_type: '',
          actor_id: '',
          actor_tenant_id: '',
          resource: '',
          action: '',
          result: 'success',
          reason: '',
          level: 'info',
          ip_address: '',
          session_id: '',
          request_id: '',
          method: '',
          count: 1,
          details: '{}',
          risk_indicators: [],
        })
        .execute();
    });
    expect(await events(operator, { tenantId: 'installation', eventTypes: ['hub.started'] })).toMatchObject([
      { tenantId: '', eventType: 'hub.started' },
    ]);
    await expect(events(caller, { tenantId: 'installation' })).rejects.toMatchObject({ reason: 'TENANT_FORBIDDEN' });
  });
  it('only within its time', async () => {
    const caller = admin();
    await call(encrypt, caller, { plaintext });
    const soon = Math.floor(Date.now() / 1000) + 3600;
    expect(await events(caller, { after: { seconds: soon, nanos: 0 } })).toEqual([]);
    expect(await events(caller, { before: { seconds: -62_135_596_800, nanos: 0 } })).toEqual([]);
    expect((await events(caller, { before: { seconds: soon, nanos: 0 }, after: { seconds: 0, nanos: 0 } })).length).toBeGreaterThan(0);
  });
});

describe('Decrypt with the log away', () => {
  it('answers UNAVAILABLE, AUDIT_UNAVAILABLE, and gives nothing away; its refusals are kept', async () => {
    const caller = admin();
    const { ciphertext } = await call(encrypt, caller, { plaintext });
    away = true;
    try {
      await expect(call(decrypt, caller, { ciphertext })).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'AUDIT_UNAVAILABLE' });
      expect((await call(encrypt, caller, { plaintext })).keyName).toBe('default');
    } finally {
      away = false;
    }
    expect((await call(decrypt, caller, { ciphertext })).plaintext).toEqual(plaintext);
    await waitFor(
      async () => (await events(caller, { result: 'error' })).some(({ reason }) => reason === 'AUDIT_UNAVAILABLE'),
      3000,
      'the refusal in the log',
    );
  });
});

describe('EncryptionService', () => {
  it('prints a key as it is, without its material', async () => {
    const caller = admin();
    const made = await call(createKey, caller, {
      name: 'mail',
      purpose: 'letters',
      algorithm: 'AES-256-GCM',
      rotationPeriod: { seconds: 86_400, nanos: 500_000_000 },
    });
    expect(made.revision).toBeGreaterThan(0);
    expect(made.key).toMatchObject({
      tenantId: tenantIdOf(caller),
      name: 'mail',
      purpose: 'letters',
      algorithm: 'AES-256-GCM',
      status: 'enabled',
      primaryVersion: 1,
      versions: [{ version: 1, status: 'primary' }],
      rotationPeriod: { seconds: 86_400, nanos: 500_000_000 },
    });
    const { key } = await call(rotateKey, caller, { keyId: made.key?.id ?? '' });
    expect(key?.versions.map(({ status }) => status)).toEqual(['active', 'primary']);
    expect((await call(getKey, caller, { keyName: 'mail' })).key).toEqual(key);
    expect((await call(listKeys, caller, { status: 'enabled' })).keys).toEqual([key]);
    expect((await call(listKeys, caller, { status: 'disabled' })).keys).toEqual([]);
    expect((await call(encrypt, caller, { plaintext, keyName: 'mail' })).algorithm).toBe('AES-256-GCM');
  });
  it.each([
    ['rotate', rotateKey],
    ['get', getKey],
    ['disable', disableKey],
    ['enable', enableKey],
  ] as const)('%s names a field when no key is named, and knows no key that is not there', async (_, rpc) => {
    const caller = admin();
    const by = rpc as unknown as Rpc<{ keyName?: string; keyId?: string; tenantId?: string }, unknown>;
    await expect(call(by, caller, {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field: 'key_name' }] });
    await expect(call(by, caller, { keyName: 'nowhere' })).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'KEY_NOT_FOUND' });
    await expect(call(by, caller, { keyId: 'ek_nowhere', tenantId: 'somebody' })).rejects.toMatchObject({ reason: 'TENANT_FORBIDDEN' });
  });
});
