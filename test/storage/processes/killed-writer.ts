// A process that stores messages and is killed right after a commit, before its relay can say a word: argv: uri.
import { appendChanges, insertMessages } from '../../../src/storage/changes.postgres.ts';
import { createDatabase } from '../../../src/storage/database.postgres.ts';
import { createPool } from '../../../src/storage/pool.postgres.ts';
import { createWrite } from '../../../src/storage/write.ts';

const [uri = ''] = process.argv.slice(2);
const { write } = createWrite({
  db: createDatabase({ pool: createPool({ uri, size: 2 }) }),
  insertEvents: async () => {},
  insertMessages,
  appendChanges,
  feed: { lag: () => 0, cursor: () => 0, announce: () => {} },
  onMessages: () => process.kill(process.pid, 'SIGKILL'),
});
await write('acme', async () => ({
  result: null,
  messages: [1, 2, 3].map((n) => ({ tenantId: 'acme', topic: 'things', key: `k${n}`, body: { n } })),
}));
