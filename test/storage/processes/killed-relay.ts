// A relay that hands a batch to its sink and is killed before it can note the delivery: argv: uri.
import { createDatabase } from '../../../src/storage/database.postgres.ts';
import { createOutboxStore } from '../../../src/storage/outbox.postgres.ts';
import { createPool } from '../../../src/storage/pool.postgres.ts';

const [uri = ''] = process.argv.slice(2);
const messages = await createOutboxStore(createDatabase({ pool: createPool({ uri, size: 2 }) })).next(100);
process.stdout.write(`${JSON.stringify(messages.map((message) => message.id))}\n`, () => process.kill(process.pid, 'SIGKILL'));
