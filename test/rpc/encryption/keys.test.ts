// Encrypt, Decrypt and their keys on real stores.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { Caller, WorkloadEntry } from '../../../src/base/caller.ts';
import { createPager } from '../../../src/base/page.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { days } from '../../../src/base/time.ts';
import type { DataContext, Decrypted, Encrypted, Encryption, EncryptInput, KeyName } from '../../../src/encryption/encryption.ts';
import { wireEncryption } from '../../../src/encryption/encryption.wire.ts';
import { checkMasterKey } from '../../../src/encryption/master-key.postgres.ts';
import { openMasterKey } from '../../../src/encryption/master-key.wire.ts';
import { createSealer } from '../../../src/encryption/sealer.ts';
import { callAs, userCaller } from '../../callers.ts';
import {
  createTestPlatform,
  type FreshDatabase,
  freshDatabase,
  type TestClock,
  type TestPlatform,
  testClock,
  waitFor,
} from '../../harness.ts';

const master = randomBytes(32);
let database: FreshDatabase;
const started: TestPlatform[] = [];
let clock: TestClock;

/** A replica: its own feed and caches, the database and the master key of all. */
const replica = async (
  over: { readonly defaultKeyName?: string; readonly rotation?: number } = {},
): Promise<{ encryption: Encryption; platform: TestPlatform }> => {
  const platform = await createTestPlatform({ database, clock });
  started.push(platform);
  const sealer = createSealer(master, systemRandom);
  const { door: encryption } = wireEncryption(
    { ...platform, sealer, pager: createPager(sealer.derive('page')) },
    { rotation: over.rotation ?? days(90) },
    {
      holds: (caller, permission) => caller.kind !== 'user' || !caller.scopes.includes(`not ${permission}`),
      defaultKeyName: () => over.defaultKeyName ?? '',
    },
  );
  await platform.start();
  return { encryption, platform };
};

let one: Encryption;
let two: Encryption;
let events: TestPlatform['audit'];
beforeAll(async () => {
  clock = testClock();
  database = await freshDatabase();
  const first = await replica();
  one = first.encryption;
  events = first.platform.audit;
  two = (await replica()).encryption;
});
afterAll(async () => {
  await Promise.all(started.map((platform) => platform.stop()));
  await database.close();
});

let tenants = 0;
const newTenant = (): string => `tenant-${(tenants += 1)}`;
const context: DataContext = { tenantId: '', classification: 'confidential', purpose: 'test', attributes: { order: '42' } };
const plaintext = Buffer.from('a secret of a customer');
const associatedData = Buffer.from('row 7');

interface Asked {
  readonly key?: Partial<KeyName>;
  readonly algorithm?: string;
  readonly context?: Partial<DataContext>;
  readonly caller?: Caller;
  readonly plaintext?: Buffer;
}
const inputOf = (asked: Asked): EncryptInput => ({
  plaintext: asked.plaintext ?? plaintext,
  key: { name: '', id: '', ...asked.key },
  algorithm: asked.algorithm ?? '',
  context: { ...context, ...asked.context },
  associatedData,
});
const encrypt = async (by: Encryption, tenantId: string, asked: Asked = {}): Promise<Encrypted> =>
  by.encrypt(inputOf(asked), callAs(asked.caller ?? userCaller(tenantId)));
const decrypt = async (by: Encryption, tenantId: string, ciphertext: Buffer, asked: Asked = {}): Promise<Decrypted> =>
  by.decrypt({ ciphertext, context: { ...context, ...asked.context }, associatedData }, callAs(asked.caller ?? userCaller(tenantId)));
const create = (by: Encryption, tenantId: string, name: string, rotationPeriod: number | null = null, idempotencyKey = '') =>
  by.createKey(tenantId, { name, purpose: 'tests', algorithm: '', rotationPeriod, idempotencyKey }, callAs(userCaller(tenantId)));
const by = (name: string): KeyName => ({ name, id: '' });

const FAILED = { code: 'INVALID_ARGUMENT', reason: 'DECRYPTION_FAILED', message: 'the ciphertext does not open in this context' };

describe('what was encrypted', () => {
  it.each(['', 'XAES-256-GCM', 'AES-256-GCM', 'FERNET'])('opens again: %s', async (algorithm) => {
    const tenantId = newTenant();
    const sealed = await encrypt(one, tenantId, { algorithm });
    expect(sealed).toMatchObject({ version: 1, algorithm: algorithm === '' ? 'XAES-256-GCM' : algorithm, key: { name: 'default' } });
    expect(await decrypt(one, tenantId, sealed.ciphertext)).toMatchObject({ plaintext, version: 1, needsRewrap: false });
  });
  it('opens at once when the key is warm, without a promise', async () => {
    const tenantId = newTenant();
    const { ciphertext } = await encrypt(one, tenantId);
    await decrypt(one, tenantId, ciphertext);
    const sealed = one.encrypt(inputOf({}), callAs(userCaller(tenantId)));
    expect(sealed).toHaveProperty('ciphertext');
    expect(one.decrypt({ ciphertext, context, associatedData }, callAs(userCaller(tenantId)))).toHaveProperty('plaintext', plaintext);
  });
  it('opens on another replica at once, though no news of the key has come there', async () => {
    const tenantId = newTenant();
    await encrypt(two, tenantId, { key: by((await create(two, tenantId, 'warm')).key.name) });
    const { key } = await create(one, tenantId, 'fresh');
    const { ciphertext } = await encrypt(one, tenantId, { key: by('fresh') });
    expect(await decrypt(two, tenantId, ciphertext)).toMatchObject({ plaintext, key: { id: key.id } });
  });
  it('opens after a restart', async () => {
    const tenantId = newTenant();
    const { ciphertext } = await encrypt(one, tenantId);
    const { encryption } = await replica();
    expect((await decrypt(encryption, tenantId, ciphertext)).plaintext).toEqual(plaintext);
  });
  it('may be 1 MiB', async () => {
    const tenantId = newTenant();
    const large = randomBytes(1024 * 1024);
    const { ciphertext } = await encrypt(one, tenantId, { plaintext: large });
    expect((await decrypt(one, tenantId, ciphertext)).plaintext.equals(large)).toBe(true);
  });
  it('may be nothing', async () => {
    const tenantId = newTenant();
    const { ciphertext } = await encrypt(one, tenantId, { plaintext: Buffer.alloc(0) });
    expect((await decrypt(one, tenantId, ciphertext)).plaintext).toHaveLength(0);
  });
  it('under FERNET is at most what Decrypt takes', async () => {
    const large = encrypt(one, newTenant(), { algorithm: 'FERNET', plaintext: Buffer.alloc(768 * 1024 + 1) });
    await expect(large).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field: 'plaintext' }] });
  });
});

describe('what does not open gets one answer', () => {
  const tenantId = 'opens-not';
  let ciphertext: Buffer;
  let foreign: Buffer;
  beforeAll(async () => {
    ({ ciphertext } = await encrypt(one, tenantId));
    ({ ciphertext: foreign } = await encrypt(one, newTenant()));
  });
  const other = (change: (bytes: Buffer) => Buffer | void): Buffer => {
    const copy = Buffer.from(ciphertext);
    return change(copy) ?? copy;
  };
  it.each<[string, () => Buffer, Partial<DataContext>?]>([
    ['another classification', () => ciphertext, { classification: 'public' }],
    ['no classification', () => ciphertext, { classification: '' }],
    ['another purpose', () => ciphertext, { purpose: 'other' }],
    ['another attribute', () => ciphertext, { attributes: { order: '43' } }],
    ['no attributes', () => ciphertext, { attributes: {} }],
    ['the ciphertext of another tenant', () => foreign],
    ['an unknown key id', () => other((bytes) => void bytes.write('ek_ZZZZ', 5, 'latin1'))],
    ['an unknown version', () => other((bytes) => void bytes.writeUInt32BE(99, 30))],
    ['version 0', () => other((bytes) => void bytes.writeUInt32BE(0, 30))],
    ['another algorithm', () => other((bytes) => void bytes.writeUInt8(2, 3))],
    ['a cut tag', () => other((bytes) => bytes.subarray(0, -1))],
    ['a header alone', () => other((bytes) => bytes.subarray(0, 34))],
    ['nothing', () => Buffer.alloc(0)],
    ['noise', () => randomBytes(100)],
    [
      'a Fernet token without our header',
      () => Buffer.from('gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=='),
    ],
  ])('%s', async (_, bytes, over = {}) => {
    await expect(decrypt(one, tenantId, bytes(), { context: over })).rejects.toMatchObject(FAILED);
  });
  it('a bit flipped at any byte', async () => {
    for (let i = 0; i < ciphertext.length; i += 1) {
      const flipped = other((bytes) => void bytes.writeUInt8(bytes.readUInt8(i) ^ 0x10, i));
      await expect(decrypt(one, tenantId, flipped)).rejects.toMatchObject(FAILED);
    }
  });
});

describe('a key', () => {
  it('is made on first use, one of twenty at once on two replicas', async () => {
    const tenantId = newTenant();
    const sealed = await Promise.all(Array.from({ length: 20 }, (_, i) => encrypt(i % 2 === 0 ? one : two, tenantId)));
    expect(new Set(sealed.map(({ key }) => key.id)).size).toBe(1);
    expect((await one.listKeys(tenantId, '', 0, '')).keys).toMatchObject([{ name: 'default', versions: [{ version: 1 }] }]);
    for (const { ciphertext } of sealed) expect((await decrypt(two, tenantId, ciphertext)).plaintext).toEqual(plaintext);
  });
  it('of the name that the tenant gave is its default', async () => {
    const tenantId = newTenant();
    const { encryption } = await replica({ defaultKeyName: 'house' });
    expect((await encrypt(encryption, tenantId)).key.name).toBe('house');
  });
  it('that was named must be there', async () => {
    const tenantId = newTenant();
    const unknown = { code: 'NOT_FOUND', reason: 'KEY_NOT_FOUND' };
    await create(one, tenantId, 'here');
    const there = await create(one, tenantId, 'there');
    await expect(encrypt(one, tenantId, { key: by('nowhere') })).rejects.toMatchObject(unknown);
    await expect(encrypt(one, tenantId, { key: { id: 'ek_nowhere' } })).rejects.toMatchObject(unknown);
    await expect(encrypt(one, tenantId, { key: { name: 'here', id: there.key.id } })).rejects.toMatchObject(unknown);
    await expect(encrypt(one, newTenant(), { key: { id: there.key.id } })).rejects.toMatchObject(unknown);
    expect((await encrypt(one, tenantId, { key: { name: 'there', id: there.key.id } })).key.id).toBe(there.key.id);
  });
  it('is made once a name', async () => {
    const tenantId = newTenant();
    const made = await create(one, tenantId, 'mail');
    expect(made).toMatchObject({
      key: { name: 'mail', algorithm: 'XAES-256-GCM', status: 'enabled', primaryVersion: 1, versions: [{ version: 1 }] },
    });
    expect(made.revision).toBeGreaterThan(0);
    await expect(create(two, tenantId, 'mail')).rejects.toMatchObject({ code: 'ALREADY_EXISTS', reason: 'KEY_EXISTS' });
  });
  it('is made once an idempotency key', async () => {
    const tenantId = newTenant();
    const made = await create(one, tenantId, 'mail', null, 'again');
    expect((await create(two, tenantId, 'mail', null, 'again')).key).toEqual(made.key);
    await expect(create(one, tenantId, 'post', null, 'again')).rejects.toMatchObject({ reason: 'IDEMPOTENCY_KEY_REUSED' });
  });
  it('has an algorithm we know', async () => {
    const tenantId = newTenant();
    const unknown = { code: 'INVALID_ARGUMENT', reason: 'ALGORITHM_UNKNOWN', violations: [{ field: 'algorithm' }] };
    await expect(encrypt(one, tenantId, { algorithm: 'ROT13' })).rejects.toMatchObject(unknown);
    const made = one.createKey(
      tenantId,
      { name: 'x', purpose: '', algorithm: 'DES', rotationPeriod: null, idempotencyKey: '' },
      callAs(userCaller(tenantId)),
    );
    await expect(made).rejects.toMatchObject(unknown);
  });
  it('is listed by name, page by page', async () => {
    const tenantId = newTenant();
    for (const name of ['c', 'a', 'd', 'b']) await create(one, tenantId, name);
    const page = await one.listKeys(tenantId, '', 3, '');
    expect(page.keys.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect((await two.listKeys(tenantId, '', 3, page.nextPageToken)).keys.map(({ name }) => name)).toEqual(['d']);
    expect((await one.listKeys(newTenant(), '', 0, '')).keys).toEqual([]);
  });
  it('never leaves the database unsealed', async () => {
    const tenantId = newTenant();
    await encrypt(one, tenantId);
    const [row] = await database.sql<{ t: Buffer; v: Buffer }>(
      'SELECT t.sealed AS t, v.sealed AS v FROM tenant_key t JOIN encryption_key_version v USING (tenant_id) WHERE tenant_id = $1',
      [tenantId],
    );
    expect(row?.t.length).toBe(5 + 24 + 32 + 16);
    expect(row?.v.length).toBe(24 + 32 + 16);
    expect(() => createSealer(randomBytes(32), systemRandom).open('tenant-key', tenantId, row?.t ?? Buffer.alloc(0))).toThrow();
  });
});

describe('a rotation', () => {
  it('seals with the new version, opens the old ones, and says that they should be sealed again', async () => {
    const tenantId = newTenant();
    const old = await encrypt(one, tenantId);
    const rotated = await one.rotateKey(tenantId, by('default'), '', callAs(userCaller(tenantId)));
    expect(rotated.key).toMatchObject({ primaryVersion: 2, versions: [{ version: 1 }, { version: 2 }] });
    expect((await encrypt(one, tenantId)).version).toBe(2);
    expect(await decrypt(one, tenantId, old.ciphertext)).toMatchObject({ plaintext, version: 1, needsRewrap: true });
  });
  it('reaches every replica, and a ciphertext under it opens there before the news does', async () => {
    const tenantId = newTenant();
    await encrypt(two, tenantId);
    await one.rotateKey(tenantId, by('default'), '', callAs(userCaller(tenantId)));
    const { ciphertext } = await encrypt(one, tenantId);
    expect((await decrypt(two, tenantId, ciphertext)).plaintext).toEqual(plaintext);
    await waitFor(async () => (await encrypt(two, tenantId)).version === 2, 3000, 'the new version on the other replica');
  });
  it('happens once an idempotency key', async () => {
    const tenantId = newTenant();
    await create(one, tenantId, 'k');
    for (const replicaOf of [one, two, one]) await replicaOf.rotateKey(tenantId, by('k'), 'once', callAs(userCaller(tenantId)));
    expect((await one.getKey(tenantId, by('k'))).primaryVersion).toBe(2);
  });
  it('of many at once adds that many versions, each with a number of its own', async () => {
    const tenantId = newTenant();
    await create(one, tenantId, 'k');
    await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? one : two).rotateKey(tenantId, by('k'), '', callAs(userCaller(tenantId)))),
    );
    expect((await one.getKey(tenantId, by('k'))).versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
  it('comes by schedule, once, on whichever replica looks', async () => {
    const tenantId = newTenant();
    await create(one, tenantId, 'often', 60_000);
    await create(one, tenantId, 'never');
    expect((await one.getKey(tenantId, by('often'))).nextRotationAt).toBe(clock.now() + 60_000);
    await Promise.all([one.rotateDue(), two.rotateDue()]);
    expect((await one.getKey(tenantId, by('often'))).primaryVersion).toBe(1);
    clock.advance(60_000);
    const rotated = await Promise.all([one.rotateDue(), two.rotateDue()]);
    expect(rotated.reduce((sum, n) => sum + n, 0)).toBe(1);
    expect(await one.getKey(tenantId, by('often'))).toMatchObject({ primaryVersion: 2, nextRotationAt: clock.now() + 60_000 });
    expect((await one.getKey(tenantId, by('never'))).primaryVersion).toBe(1);
  });
  it('is in the default key from the start', async () => {
    const tenantId = newTenant();
    await encrypt(one, tenantId);
    expect((await one.getKey(tenantId, by('default'))).rotationPeriod).toBe(days(90));
    const { encryption } = await replica({ rotation: 0 });
    const other = newTenant();
    await encrypt(encryption, other);
    expect((await one.getKey(other, by('default'))).rotationPeriod).toBeNull();
  });
  it('comes before AES-256-GCM has used a version too often, and uses are counted in blocks', async () => {
    const tenantId = newTenant();
    const first = await encrypt(one, tenantId, { algorithm: 'AES-256-GCM' });
    for (let i = 0; i < 50; i += 1) await encrypt(one, tenantId, { algorithm: 'AES-256-GCM' });
    expect(await database.sql('SELECT gcm_uses FROM encryption_key_version WHERE tenant_id = $1', [tenantId])).toEqual([
      { gcm_uses: '65536' },
    ]);
    await database.sql('UPDATE encryption_key_version SET gcm_uses = $2 WHERE tenant_id = $1', [tenantId, 2 ** 31]);
    const sealed = await Promise.all(Array.from({ length: 10 }, () => encrypt(two, tenantId, { algorithm: 'AES-256-GCM' })));
    expect(new Set(sealed.map(({ version }) => version))).toEqual(new Set([2]));
    expect((await decrypt(two, tenantId, first.ciphertext)).needsRewrap).toBe(true);
  });
});

describe('a disabled key', () => {
  const NOT_USABLE = { code: 'FAILED_PRECONDITION', reason: 'KEY_NOT_USABLE' };
  it('neither seals nor opens, is not rotated, and does all of it again once enabled', async () => {
    const tenantId = newTenant();
    const call = callAs(userCaller(tenantId));
    const { ciphertext } = await encrypt(one, tenantId);
    const disabled = await one.changeStatus(tenantId, by('default'), 'disabled', 'leak', call);
    expect(disabled.key.status).toBe('disabled');
    await expect(encrypt(one, tenantId)).rejects.toMatchObject(NOT_USABLE);
    await expect(decrypt(one, tenantId, ciphertext)).rejects.toMatchObject(NOT_USABLE);
    await expect(one.rotateKey(tenantId, by('default'), '', call)).rejects.toMatchObject(NOT_USABLE);
    await waitFor(
      () =>
        decrypt(two, tenantId, ciphertext).then(
          () => false,
          () => true,
        ),
      3000,
      'the news on the other replica',
    );
    await one.changeStatus(tenantId, by('default'), 'enabled', '', call);
    expect((await decrypt(one, tenantId, ciphertext)).plaintext).toEqual(plaintext);
  });
  it('of another tenant reads like one that is not there', async () => {
    const tenantId = newTenant();
    const { ciphertext } = await encrypt(one, tenantId);
    await one.changeStatus(tenantId, by('default'), 'disabled', '', callAs(userCaller(tenantId)));
    await expect(decrypt(one, newTenant(), ciphertext)).rejects.toMatchObject(FAILED);
  });
});

describe('who may', () => {
  const workload = (tenantId: string, name: string, keyNames: readonly string[] = [], registered = true): Caller => {
    const entry = {
      tenantId,
      namespace: 'prod',
      name,
      keyNames,
      tenants: [] as readonly string[],
    } as Partial<WorkloadEntry> as WorkloadEntry;
    return {
      kind: 'workload',
      tenantId,
      spiffeId: `spiffe://x/ns/prod/sa/${name}`,
      namespace: 'prod',
      name,
      entry: registered ? entry : null,
    };
  };
  const FORBIDDEN = { code: 'PERMISSION_DENIED', reason: 'KEY_FORBIDDEN' };

  it('encrypt and decrypt is decided by permission', async () => {
    const tenantId = newTenant();
    const without = (permission: string): Caller => userCaller(tenantId, 'usr_x', { scopes: [`not ${permission}`] });
    const lacks = { code: 'PERMISSION_DENIED', reason: 'PERMISSION_MISSING' };
    await expect(encrypt(one, tenantId, { caller: without('encryption_key:encrypt') })).rejects.toMatchObject(lacks);
    const { ciphertext } = await encrypt(one, tenantId, { caller: without('encryption_key:decrypt') });
    await expect(decrypt(one, tenantId, ciphertext, { caller: without('encryption_key:decrypt') })).rejects.toMatchObject(lacks);
  });
  it('name another tenant is nobody', async () => {
    const foreign = { code: 'PERMISSION_DENIED', reason: 'TENANT_FORBIDDEN' };
    await expect(encrypt(one, newTenant(), { context: { tenantId: 'somebody' } })).rejects.toMatchObject(foreign);
    await expect(decrypt(one, newTenant(), randomBytes(80), { context: { tenantId: 'somebody' } })).rejects.toMatchObject(foreign);
  });
  it('use a default key of its own is every registered workload, and no other opens what it sealed', async () => {
    const tenantId = newTenant();
    const billing = workload(tenantId, 'billing');
    const sealed = await encrypt(one, tenantId, { caller: billing });
    expect(sealed.key.name).toBe('default/prod/billing');
    expect((await decrypt(one, tenantId, sealed.ciphertext, { caller: billing })).plaintext).toEqual(plaintext);
    await expect(decrypt(one, tenantId, sealed.ciphertext, { caller: workload(tenantId, 'payments') })).rejects.toMatchObject(FORBIDDEN);
    const auditor = workload(tenantId, 'auditor', ['default/prod/billing']);
    expect((await decrypt(one, tenantId, sealed.ciphertext, { caller: auditor })).plaintext).toEqual(plaintext);
  });
  it("use the tenant's default is a workload whose entry lists it", async () => {
    const tenantId = newTenant();
    const { ciphertext } = await encrypt(one, tenantId);
    await expect(decrypt(one, tenantId, ciphertext, { caller: workload(tenantId, 'billing') })).rejects.toMatchObject(FORBIDDEN);
    const listed = workload(tenantId, 'billing', ['default']);
    expect((await encrypt(one, tenantId, { caller: listed })).key.name).toBe('default');
    expect((await decrypt(one, tenantId, ciphertext, { caller: listed })).plaintext).toEqual(plaintext);
  });
  it('use a named key is a workload whose entry lists it, there or not', async () => {
    const tenantId = newTenant();
    await create(one, tenantId, 'mail');
    await expect(encrypt(one, tenantId, { key: by('mail'), caller: workload(tenantId, 'billing') })).rejects.toMatchObject(FORBIDDEN);
    await expect(encrypt(one, tenantId, { key: by('nowhere'), caller: workload(tenantId, 'billing') })).rejects.toMatchObject(FORBIDDEN);
    const { key } = await one.getKey(tenantId, by('mail')).then((found) => ({ key: found }));
    await expect(encrypt(one, tenantId, { key: { id: key.id }, caller: workload(tenantId, 'billing') })).rejects.toMatchObject(FORBIDDEN);
    expect((await encrypt(one, tenantId, { key: by('mail'), caller: workload(tenantId, 'billing', ['mail']) })).key.id).toBe(key.id);
  });
  it('use any key is no workload without an entry', async () => {
    const tenantId = newTenant();
    const { ciphertext } = await encrypt(one, tenantId);
    await expect(decrypt(one, tenantId, ciphertext, { caller: workload(tenantId, 'stranger', [], false) })).rejects.toMatchObject(
      FORBIDDEN,
    );
  });
  it('be wrong about a classification gets it named', async () => {
    const wrong = encrypt(one, newTenant(), { context: { classification: 'secretish' } });
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field: 'context.classification' }] });
  });
});

describe('the master key', () => {
  it('is the one the database was made with, or nothing starts', async () => {
    const sealer = createSealer(master, systemRandom);
    await Promise.all(Array.from({ length: 5 }, () => checkMasterKey(database.db, sealer)));
    const other = checkMasterKey(database.db, createSealer(randomBytes(32), systemRandom));
    await expect(other).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'MASTER_KEY_MISMATCH' });
  });
  it('comes from the configuration', async () => {
    const encryption = { keyPath: '', key: master.toString('base64') };
    const server = { dataDir: '', environment: 'production' };
    const wired = openMasterKey({ encryption, server, storage: { postgresUri: database.uri } }, systemRandom);
    await wired.check(database.db);
    expect(wired.dev).toBe(false);
  });
  it('out of reach of the role of the service is its check value', async () => {
    const read = database.db.tenant('acme', (tx) =>
      tx.tables<{ master_key_check: object }>().selectFrom('master_key_check').selectAll().execute(),
    );
    await expect(read).rejects.toMatchObject({ code: '42501' });
  });
});

describe('every change of a key', () => {
  it('is an event', async () => {
    const tenantId = newTenant();
    const call = callAs(userCaller(tenantId));
    await create(one, tenantId, 'k');
    await one.rotateKey(tenantId, by('k'), '', call);
    await one.changeStatus(tenantId, by('k'), 'disabled', 'because', call);
    await one.changeStatus(tenantId, by('k'), 'disabled', 'because', call);
    await one.changeStatus(tenantId, by('k'), 'enabled', '', call);
    await encrypt(one, tenantId);
    const said = events.entries.filter((event) => event.tenantId === tenantId).map(({ type, actor }) => `${actor.type} ${type}`);
    expect(said).toEqual([
      'user encryption_key.created',
      'user encryption_key.rotated',
      'user encryption_key.disabled',
      'user encryption_key.enabled',
      'installation encryption_key.created',
    ]);
  });
});
