// Which processes of ours use the embedded database: a folder with a file for each, named by its number.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../base/folder.ts';
import { alive, commandOf } from './processes.os.ts';

/** Whether a number is still a process of ours: after a `kill -9` it may be somebody else's by now (containers count from 1 again). */
const isOurs = (pid: number): boolean => {
  if (!alive(pid)) return false;
  const command = commandOf(pid);
  return command === '' || command.includes('node');
};

export interface DatabaseUsers {
  join(): void;
  leave(): void;
  /** Whether nobody but us uses the database; who died without leaving does not count. */
  alone(): boolean;
}

export const databaseUsers = (dataDir: string): DatabaseUsers => {
  const folder = join(dataDir, 'postgres.users');
  const own = join(folder, String(process.pid));
  return {
    join() {
      makeFolder(folder, 0o700);
      for (const name of readdirSync(folder)) if (!isOurs(Number(name))) rmSync(join(folder, name), { force: true });
      writeFileSync(own, '');
    },
    leave: () => rmSync(own, { force: true }),
    alone: () => !existsSync(folder) || readdirSync(folder).every((name) => Number(name) === process.pid || !isOurs(Number(name))),
  };
};
