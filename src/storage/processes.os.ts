// What this machine tells of a process by its number.
import { readFileSync } from 'node:fs';

/** Is there a process of that number, whoever owns it? */
export const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return Reflect.get(Object(error), 'code') === 'EPERM';
  }
};

/** How it was started; '' where nobody says. */
export const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};
