// A first start that is killed at any point: the next one completes what it began, and its operator can log in.
import { readdirSync } from 'node:fs';
import { watch } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { CertificateServiceService as Certificates, KeyType } from '../../src/gen/securityhub/v1/certificate.ts';
import { SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { redisUrl, waitFor } from '../harness.ts';
import { hubHome, startHub } from '../hub-process.ts';
import { openCaller } from './caller.ts';
import { type OwnPostgres, startOwnPostgres } from './own-stores.ts';

let postgres: OwnPostgres;
beforeAll(async () => {
  postgres = await startOwnPostgres();
}, 30_000);
afterAll(() => postgres?.stop());

let databases = 0;

/** Points of a first start: milliseconds from its beginning, or something that has just come to be. */
type Point = (home: string, database: string) => Promise<void>;
const after =
  (milliseconds: number): Point =>
  () =>
    new Promise((resolve) => setTimeout(resolve, milliseconds));
const once =
  (sql: string): Point =>
  (_home, database) =>
    waitFor(
      () =>
        postgres
          .sql(sql, database)
          .then((rows) => rows.length > 0)
          .catch(() => false),
      10_000,
      sql,
    );
/** Told by the kernel: the file may be gone again before anybody looks. */
const appears =
  (file: string): Point =>
  async (home) => {
    for await (const { filename } of watch(home, { signal: AbortSignal.timeout(10_000) })) if (filename === file) return;
  };
const POINTS: readonly (readonly [string, Point])[] = [
  ...[200, 500, 800].map((ms) => [`${ms} ms after its beginning`, after(ms)] as const),
  ['once its tables are there', once('SELECT 1 FROM change_head')],
  ['once its master key is marked', once('SELECT 1 FROM master_key_check')],
  ['once its signing key is stored', once('SELECT 1 FROM signing_keys')],
  ['once its authority is stored', once('SELECT 1 FROM authorities')],
  ['once its administrator is stored', once('SELECT 1 FROM users')],
  ["once the administrator's secrets are on disk", appears('bootstrap.json.first')],
];

describe('a first start', () => {
  it.each(POINTS)(
    'killed %s leaves what the next start completes',
    async (_when, point) => {
      const name = `first_${(databases += 1)}`;
      const uri = await postgres.createDatabase(name);
      const home = hubHome();
      const own = { ...home.env, POSTGRES_URI: uri, REDIS_URL: redisUrl(), REDIS_PREFIX: `${name}-${process.pid}:` };
      const killed = await startHub(own, { unready: true });
      await point(home.dataDir, name);
      await killed.stop('SIGKILL');
      const completed = await startHub(own);
      const { access_token, api_key, password, tenant_id, username, grpc } = completed.bootstrap();
      const admin = openCaller(grpc, access_token);
      try {
        expect(await admin.ask(Hub.validateToken, { token: access_token })).toMatchObject({ valid: true });
        const { ciphertext } = await admin.ask(Hub.encrypt, { plaintext: Buffer.from('first') });
        expect((await admin.ask(Hub.decrypt, { ciphertext })).plaintext.toString()).toBe('first');
        const generateKey = { type: KeyType.KEY_TYPE_ECDSA_P256 };
        const issued = await admin.ask(Hub.issueServiceCert, { namespace: 'default', service: 'billing', generateKey });
        expect(issued.trustBundlePem).toBe((await admin.ask(Certificates.getTrustBundle, {})).trustBundlePem);
        // Whoever starts it has the administrator's password and API key, whenever the first start died.
        expect(await admin.tell(Authentication.login, { tenantId: tenant_id, username, password }, '')).toMatchObject({ code: 'OK' });
        expect(await admin.ask(Hub.validateToken, { token: api_key })).toMatchObject({ valid: true });
        expect(readdirSync(home.dataDir).toSorted()).toEqual(['bootstrap.json', 'master.key']);
      } finally {
        admin.close();
        await completed.stop();
      }
    },
    30_000,
  );
});
