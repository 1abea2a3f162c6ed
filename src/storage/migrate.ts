// Which migrations a database still needs, and whether this release may work on it. Forward only, plain SQL, one transaction a file.
import { sha256 } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';

export interface Migration {
  readonly version: number;
  /** The file's name without `.sql`. */
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
  /** An older release keeps working beside it. False when the file's first line says `-- contract:`. */
  readonly additive: boolean;
}

export interface Applied {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly additive: boolean;
}

export interface MigrationPlan {
  readonly pending: readonly Migration[];
  /** Applied by a newer release; all additive, else there is no plan. */
  readonly ahead: readonly Applied[];
}

const NAME = /^(\d{4})_[a-z0-9_]+$/;

/** Throws a plain error for a file that is not named `0001_words`. */
export const migration = (name: string, sql: string): Migration => {
  const version = NAME.exec(name)?.[1];
  if (version === undefined) throw new Error(`${name}.sql is not named like 0001_words.sql`);
  return { version: Number(version), name, sql, checksum: sha256(sql).toString('hex'), additive: !/^--\s*contract:/i.test(sql) };
};

const refuse = (reason: string, message: string): Fault => new Fault('FAILED_PRECONDITION', reason, message);

/**
 * FAILED_PRECONDITION / MIGRATION_EDITED when an applied file was changed since,
 * SCHEMA_NEWER when a newer release took something away that this one needs.
 */
export const planMigrations = (files: readonly Migration[], applied: readonly Applied[]): MigrationPlan => {
  const ordered = files.toSorted((a, b) => a.version - b.version);
  const twice = ordered.find((file, index) => ordered[index - 1]?.version === file.version);
  if (twice !== undefined) throw new Error(`two migrations have the number ${twice.version}`);
  const known = new Map(ordered.map((file) => [file.version, file]));
  const done = new Set(applied.map((row) => row.version));
  const ahead: Applied[] = [];
  for (const row of applied) {
    const file = known.get(row.version);
    if (file === undefined) {
      if (!row.additive)
        throw refuse('SCHEMA_NEWER', `the database was migrated by a newer release (${row.name}) that this one cannot work with`);
      ahead.push(row);
    } else if (file.checksum !== row.checksum) {
      throw refuse('MIGRATION_EDITED', `${row.name} was edited after it had been applied: add a new file instead`);
    }
  }
  return { pending: ordered.filter((file) => !done.has(file.version)), ahead };
};
