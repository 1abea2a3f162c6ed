// `npm run bench`: the built hub in production configuration on real stores, against a bare echo. Writes docs/benchmarks.md.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { measure, type Result } from './measure.ts';
import { pin, residentMiB, startHub, startStores } from './processes.ts';
import { report } from './report.ts';
import { bearerRows, type Setting } from './rows.ts';
import { mtlsRow } from './mtls.ts';
import { conditionRow } from './conditions.ts';
import { localRates } from './local.ts';
import { refreshRate } from './refresh.ts';
import { sliceRows } from './slices.ts';

const root = join(import.meta.dirname, '../..');
const only = process.argv[2] ?? '';

pin(process.pid, 1);
console.log('starting Postgres, Redis and the hub …');
const stores = await startStores();
const production = { ...stores.env, NODE_ENV: 'production', ACCESS_TOKEN_MINUTES: '60' };
try {
  // A development start makes the tenant and its administrator; everything measured runs in production configuration.
  const first = await startHub({ ...stores.env, NODE_ENV: 'development' });
  await first.stop();
  const bootstrap = first.bootstrap();

  const hub = await startHub({ ...production, TLS: 'off' });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const idle = residentMiB(hub.pid);
  const setting: Setting = {
    grpc: hub.grpc,
    username: bootstrap.username,
    password: bootstrap.password,
    tenantId: bootstrap.tenant_id,
  };
  const rows = await bearerRows(setting);
  const results: Result[] = [];
  for (const row of rows.filter(({ name }) => name.includes(only))) {
    console.log(`${row.name} …`);
    results.push(await measure(row, hub));
  }
  const refresh = await refreshRate(setting, hub.pid);
  // Last: from its policy on no check of the tenant is plain any more.
  if ('BatchCheck with conditions'.includes(only)) results.push(await conditionRow(setting, hub));
  const peak = residentMiB(hub.pid);
  await hub.stop();
  if ('mTLS'.includes(only) || only === '') results.push(await mtlsRow(production, setting));
  const local = 'local mode'.includes(only) || only === '' ? await localRates(production, setting) : [];
  const slices = 'BatchCheck with conditions'.includes(only) ? await sliceRows(production, setting) : [];
  const text = report(results, {
    local,
    slices,
    idle,
    peak,
    startedIn: hub.startedIn,
    refresh,
    machine: `${cpus().length} cores, Node ${process.versions.node}`,
  });
  console.log(text);
  if (only === '') writeFileSync(join(root, 'docs/benchmarks.md'), text);
} finally {
  await stores.stop();
}
process.exit(0);
