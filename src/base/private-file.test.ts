import { describe, expect, it } from '@jest/globals';
import { openToOthers } from './private-file.ts';

describe('the file of a secret', () => {
  it.each<[string, { uid: number; mode: number }, number | undefined, boolean]>([
    ['of its owner alone', { uid: 1000, mode: 0o100600 }, 1000, false],
    ['read-only', { uid: 1000, mode: 0o100400 }, 1000, false],
    ['that the group may read', { uid: 1000, mode: 0o100640 }, 1000, true],
    ['that everybody may read', { uid: 1000, mode: 0o100644 }, 1000, true],
    ['that root opened to a group, for root', { uid: 0, mode: 0o100640 }, 0, true],
    ['mounted for the pod’s group', { uid: 0, mode: 0o100440 }, 65532, false],
    ['mounted for the pod’s group, writable by root', { uid: 0, mode: 0o100640 }, 65532, false],
    ['mounted writable by the group', { uid: 0, mode: 0o100660 }, 65532, true],
    ['mounted for everybody', { uid: 0, mode: 0o100644 }, 65532, true],
    ['on Windows', { uid: 0, mode: 0o100666 }, undefined, false],
  ])('%s is open to others or not', (_, file, own, open) => expect(openToOthers(file, own)).toBe(open));
});
