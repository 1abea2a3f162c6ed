// `npm run bench:peers [casbin|load|change|users]`: the hub beside node-casbin and Cerbos, measured in the same run. Writes docs/benchmarks-peers.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pin, startStores } from '../processes.ts';
import { casbinCases } from './casbin.ts';
import { changeRow } from './change.ts';
import { fetchPeers } from './fetch.ts';
import { fillLeave, loadRows } from './load.ts';
import { casbinSection, changeSection, HEAD, loadSection, replaceSection, usersSection } from './report.ts';
import { openStage, type Stage } from './stage.ts';
import { userRows } from './users.ts';

const only = process.argv[2] ?? '';
const file = join(import.meta.dirname, '../../../docs/benchmarks-peers.md');
const peers = fetchPeers();
pin(process.pid, 1);

const keep = (section: string): void => {
  console.log(section);
  writeFileSync(file, replaceSection(existsSync(file) ? readFileSync(file, 'utf8') : HEAD, section));
};

const onStage = async (work: (stage: Stage) => Promise<void>): Promise<void> => {
  const stores = await startStores();
  try {
    await work(await openStage(stores));
  } finally {
    await stores.stop();
  }
};

try {
  if (only === '' || only === 'casbin') keep(casbinSection(await casbinCases(peers.casbin.path), peers.casbin.version));
  if (only === '' || only === 'load')
    await onStage(async (stage) => {
      keep(loadSection(await loadRows(stage, peers), peers));
      if (only === '') keep(changeSection(await changeRow(stage)));
    });
  if (only === 'change')
    await onStage(async (stage) => {
      await fillLeave(stage);
      keep(changeSection(await changeRow(stage)));
    });
  if (only === '' || only === 'users') await onStage(async (stage) => keep(usersSection(await userRows(stage))));
  process.exit(0);
} catch (error) {
  // Whatever still runs must not keep the machine busy.
  console.error(error);
  process.exit(1);
}
