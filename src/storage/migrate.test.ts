import { describe, expect, it } from '@jest/globals';
import { type Applied, migration, planMigrations } from './migrate.ts';

const one = migration('0001_one', 'CREATE TABLE one ()');
const two = migration('0002_two', 'CREATE TABLE two ()');
const applied = ({ version, name, checksum, additive }: Applied): Applied => ({ version, name, checksum, additive });

describe('the plan of migrations', () => {
  it('is what has not been applied, in order', () => {
    expect(planMigrations([two, one], []).pending).toEqual([one, two]);
    expect(planMigrations([two, one], [applied(one)]).pending).toEqual([two]);
  });

  it('refuses a file edited after it was applied', () => {
    expect(() => planMigrations([one], [{ ...applied(one), checksum: 'other' }])).toThrow(
      expect.objectContaining({ reason: 'MIGRATION_EDITED' }),
    );
  });

  it('works on the schema of a newer release that only added', () => {
    expect(planMigrations([one], [applied(one), applied(two)])).toEqual({ pending: [], ahead: [applied(two)] });
  });

  it('refuses the schema of a newer release that took something away', () => {
    const contract = migration('0003_gone', '-- contract: one is no longer read\nDROP TABLE one');
    expect(() => planMigrations([one], [applied(one), applied(contract)])).toThrow(expect.objectContaining({ reason: 'SCHEMA_NEWER' }));
  });

  it('refuses two files of one number', () => {
    expect(() => planMigrations([one, migration('0001_again', '')], [])).toThrow('two migrations have the number 1');
  });

  it('refuses a name without number', () => {
    expect(() => migration('one', '')).toThrow('0001_words');
  });
});
