// Before anything uses the database: its migrations are there, and its walls mean something.
import { Fault } from '../base/fault.ts';
import { checkRole, loginOf, migrate, migrationStatus, type RoleReport } from './migrate.postgres.ts';

export interface PrepareOptions {
  readonly uri: string;
  /** '' = the same. */
  readonly migrationUri: string;
  /** Apply what is pending, or refuse to start. */
  readonly migrate: boolean;
  readonly production: boolean;
  readonly log: { info(fields: Readonly<Record<string, unknown>>, message: string): void };
}

const migrated = async (deps: PrepareOptions): Promise<void> => {
  const direct = deps.migrationUri === '' ? deps.uri : deps.migrationUri;
  if (deps.migrate) {
    const names = await migrate({ uri: direct, login: loginOf(deps.uri) });
    if (names.length > 0) deps.log.info({ migrations: names }, 'the database was migrated');
    return;
  }
  const { pending } = await migrationStatus(deps.uri);
  if (pending.length > 0)
    throw new Fault(
      'FAILED_PRECONDITION',
      'MIGRATIONS_PENDING',
      `the database lacks ${pending.length} migrations: run \`security-hub migrate\` first`,
    );
};

const checkedRole = async (deps: PrepareOptions): Promise<RoleReport> => {
  const role = await checkRole(deps.uri);
  if (deps.production && role.problems.length > 0)
    throw new Fault('FAILED_PRECONDITION', 'DATABASE_ROLE_TOO_STRONG', `walls between tenants would not hold: ${role.problems.join('; ')}`);
  return role;
};

/** FAILED_PRECONDITION / MIGRATIONS_PENDING, SCHEMA_NEWER, MIGRATION_EDITED or, in production, DATABASE_ROLE_TOO_STRONG. */
export const prepareDatabase = async (deps: PrepareOptions): Promise<RoleReport> => {
  await migrated(deps);
  return checkedRole(deps);
};
