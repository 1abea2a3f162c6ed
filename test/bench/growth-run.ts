// `npm run bench:growth`: what a million revocations and a hundred thousand tokens cost. Writes its part of docs/growth.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../hub-process.ts';
import { atRest, flatness, MILLION, propagation, revokeMany, TOKENS } from './growth.ts';
import { growthReport } from './growth-report.ts';
import { withSection } from './growth-sections.ts';
import { pin, startHub, startStores } from './processes.ts';
import type { Setting } from './rows.ts';
import { signingKey } from './sign-tokens.ts';

const SOME = 10_000;

pin(process.pid, 1);
console.log('starting Postgres, Redis and two installations …');
const stores = await startStores();
const keyPath = signingKey();

/** A development start makes the tenant and its administrator; everything measured runs in production configuration. */
const install = async (env: Environment): Promise<{ env: Environment; setting: Omit<Setting, 'grpc'> }> => {
  const keyed = { ...env, JWT_PRIVATE_KEY_PATH: keyPath };
  const first = await startHub({ ...keyed, NODE_ENV: 'development' });
  await first.stop();
  const { username, password, tenant_id: tenantId } = first.bootstrap();
  return { env: { ...keyed, NODE_ENV: 'production', ACCESS_TOKEN_MINUTES: '60', TLS: 'off' }, setting: { username, password, tenantId } };
};

try {
  const [plain, full] = [await install(stores.env), await install(await stores.another())];
  console.log(`${SOME} revocations …`);
  await revokeMany(full.env, full.setting.tenantId, 0, SOME);
  const some = await startHub(full.env);
  await some.stop();
  console.log(`${MILLION} revocations …`);
  await revokeMany(full.env, full.setting.tenantId, SOME, MILLION);
  const million = await atRest(full.env, full.setting);
  const few = await atRest(plain.env, plain.setting);
  const many = await atRest(plain.env, plain.setting);
  console.log(`${TOKENS} tokens …`);
  const flat = await flatness(few, million, many, keyPath);
  console.log('revoke to refused …');
  const arrival = await propagation(few, many);
  for (const { hub } of [few, million, many]) await hub.stop();
  const text = growthReport({
    flat,
    arrival,
    startedWithSome: some.startedIn,
    startedWithMillion: million.hub.startedIn,
    idle: few.idle,
    mirrorMiB: million.idle - few.idle,
    machine: `${cpus().length} cores, Node ${process.versions.node}`,
  });
  console.log(text);
  const page = join(import.meta.dirname, '../../docs/growth.md');
  writeFileSync(page, withSection(readFileSync(page, 'utf8'), text));
} finally {
  await stores.stop();
}
process.exit(0);
