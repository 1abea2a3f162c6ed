// One folder for everything that a run writes beside its stores: the temporary folder of whatever it starts, gone when it ends.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** From here on `tmpdir()` of this process and of its children is a folder of its own. */
export const ownTemporaryFolder = (): void => {
  // A short name: the path of a Unix socket has some hundred bytes.
  const folder = mkdtempSync(join(tmpdir(), 'hub-'));
  // Below it work others than us: the user of the database, that of the image.
  chmodSync(folder, 0o755);
  process.env['TMPDIR'] = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
};
