// Uses the embedded database of a data directory until it is told to stop.
import { startEmbeddedPostgres } from '../../../src/storage/embedded.postgres.ts';

const postgres = await startEmbeddedPostgres({ dataDir: process.argv[2] ?? '' });
process.once('message', () => {
  void postgres.stop().then(() => process.disconnect?.());
});
process.send?.('ready');
