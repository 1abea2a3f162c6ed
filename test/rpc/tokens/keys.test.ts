import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemRandom } from '../../../src/base/random.ts';
import { createSealer } from '../../../src/encryption/sealer.ts';
import { wireTokens } from '../../../src/tokens/tokens.wire.ts';
import { createTestPlatform, type FreshDatabase, freshDatabase } from '../../harness.ts';
import { people, portsOf, type TokensHub, tokensDefaults, tokensHub } from './hub.ts';

let database: FreshDatabase;
const hubs: TokensHub[] = [];
const start = async (...options: Parameters<typeof tokensHub> extends [unknown, ...infer R] ? R : never): Promise<TokensHub> => {
  const hub = await tokensHub(database, ...options);
  hubs.push(hub);
  return hub;
};

beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.stop()));
  await database.close();
});

const folder = mkdtempSync(join(tmpdir(), 'token-keys-'));
const file = (name: string, key: KeyObject, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }));
  chmodSync(path, mode);
  return path;
};
const kidsOf = (hub: TokensHub) => hub.door.jwks().keys.map((key) => key.kid);
const headerOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as Record<string, string>;

describe('signing keys', () => {
  it('are made once, however many replicas start together', async () => {
    const replicas = await Promise.all([start(), start(), start()]);
    const rows = await database.sql<{ kid: string; state: string }>('SELECT kid, state FROM signing_keys');
    expect(rows).toHaveLength(1);
    for (const replica of replicas) expect(kidsOf(replica)).toEqual([rows[0]?.kid]);
    const [one, two] = replicas as [TokensHub, TokensHub, TokensHub];
    expect(two.door.verify((await one.login()).accessToken, Date.now()).ok).toBe(true);
  });

  it('survive a restart', async () => {
    const token = (await (await start()).login()).accessToken;
    expect((await start()).door.verify(token, Date.now()).ok).toBe(true);
  });

  it('stand sealed in the table, and open under no other master key', async () => {
    await start();
    const [row] = await database.sql<{ private_sealed: Buffer; public_jwk: Record<string, string> }>(
      'SELECT private_sealed, public_jwk FROM signing_keys',
    );
    expect(row?.public_jwk).not.toHaveProperty('d');
    expect(row?.private_sealed.includes(Buffer.from('2a8648ce3d0201', 'hex'))).toBe(false);
    const base = await createTestPlatform({ database });
    const other = wireTokens({ ...base, sealer: createSealer(Buffer.alloc(32, 8), systemRandom) }, tokensDefaults(), portsOf(people()));
    await expect(other.start()).rejects.toMatchObject({ reason: 'MASTER_KEY_MISMATCH' });
    await base.stop();
  });

  it('are out of reach for the role of the service', async () => {
    const hub = await start();
    await expect(
      hub.platform.db.tenant('acme', async (tx) =>
        tx.tables<{ signing_keys: { kid: string } }>().selectFrom('signing_keys').select('kid').execute(),
      ),
    ).rejects.toMatchObject({ code: '42501' });
  });

  it.each(['ES256', 'EdDSA', 'PS256', 'RS256'] as const)('are of the algorithm that JWT_ALGORITHM names: %s', async (algorithm) => {
    const hub = await start({ config: { algorithm } });
    const { accessToken } = await hub.login();
    expect(headerOf(accessToken)).toEqual({ alg: algorithm, typ: 'at+jwt', kid: kidsOf(hub)[0] });
    expect(hub.door.verify(accessToken, Date.now()).ok).toBe(true);
  });

  it('may be retired or retiring: the one is refused, the other believed', async () => {
    const first = await start();
    const token = (await first.login()).accessToken;
    await database.sql("UPDATE signing_keys SET state = 'retiring'");
    const next = await start();
    expect(kidsOf(next)).toHaveLength(2);
    expect(next.door.verify(token, Date.now()).ok).toBe(true);
    await database.sql("UPDATE signing_keys SET state = 'retired' WHERE state = 'retiring'");
    expect((await start()).door.verify(token, Date.now())).toMatchObject({ ok: false, reason: 'KEY_UNKNOWN' });
  });
});

describe('a signing key from files', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  it('signs, and only its public half stands in the database', async () => {
    const hub = await start({
      config: { privateKeyPath: file('own.pem', pair.privateKey), publicKeyPath: file('own.pub', pair.publicKey, 0o644) },
    });
    const { accessToken } = await hub.login();
    expect(hub.door.verify(accessToken, Date.now()).ok).toBe(true);
    expect(kidsOf(hub)).toEqual([headerOf(accessToken)['kid']]);
    expect(await database.sql('SELECT kid, source, state, private_sealed FROM signing_keys')).toEqual([
      { kid: kidsOf(hub)[0], source: 'held', state: 'published', private_sealed: null },
    ]);
  });

  it('leaves tokens of the stored key good', async () => {
    const token = (await (await start()).login()).accessToken;
    const hub = await start({ config: { privateKeyPath: file('new.pem', pair.privateKey) } });
    expect(hub.door.verify(token, Date.now()).ok).toBe(true);
    expect(kidsOf(hub)).toHaveLength(2);
  });

  it('is refused when others may read it, when its halves do not match, when it does not fit, and when it is none', async () => {
    const own = file('good.pem', pair.privateKey);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const garbage = join(folder, 'garbage.pem');
    writeFileSync(garbage, 'not a key', { mode: 0o600 });
    const cases = [
      [{ privateKeyPath: file('open.pem', pair.privateKey, 0o644) }, 'SIGNING_KEY_FILE'],
      [{ privateKeyPath: join(folder, 'absent.pem') }, 'SIGNING_KEY_FILE'],
      [{ privateKeyPath: garbage }, 'SIGNING_KEY_FILE'],
      [{ publicKeyPath: file('alone.pub', pair.publicKey) }, 'SIGNING_KEY_FILE'],
      [
        { privateKeyPath: own, publicKeyPath: file('other.pub', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey) },
        'SIGNING_KEY_MISMATCH',
      ],
      [{ privateKeyPath: own, algorithm: 'EdDSA' as const }, 'SIGNING_KEY_UNFIT'],
      [{ privateKeyPath: file('weak.pem', rsa.privateKey), algorithm: 'PS256' as const }, 'SIGNING_KEY_UNFIT'],
    ] as const;
    const base = await createTestPlatform({ database });
    for (const [config, reason] of cases) {
      const begin = async () => wireTokens({ ...base, every: () => {} }, { ...tokensDefaults(), ...config }, portsOf(people())).start();
      await expect(begin()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason });
    }
    await base.stop();
  });
});
