// The storage's slice of the configuration.
import { integer, secondsField, secret } from '../server/config/field.ts';
import { parseRedisUrl, REDIS_URL_FORMS } from './redis-url.ts';

const POSTGRES = {
  accepts: (given: string): boolean => /^postgres(ql)?:\/\//.test(given) && URL.canParse(given),
  hint: 'postgres://user:password@host:5432/name',
};

export const storageConfig = {
  postgresUri: secret('POSTGRES_URI', {
    ...POSTGRES,
    doc: 'The database, postgres://user:password@host:5432/name. Through PgBouncer in transaction mode is fine. Not set: a Postgres of our own in DATA_DIR, for this machine only.',
  }),
  migrationPostgresUri: secret('MIGRATION_POSTGRES_URI', {
    ...POSTGRES,
    doc: 'The same database for `migrate`: a direct address and the role that owns the tables. Not set: POSTGRES_URI.',
  }),
  redisUrl: secret('REDIS_URL', {
    accepts: (given) => parseRedisUrl(given) !== null,
    hint: REDIS_URL_FORMS,
    doc: 'redis://, rediss://, redis-sentinel://host,host/name or redis-cluster://host,host. Not set: kept in this process.',
  }),
  redisPrefix: {
    name: 'REDIS_PREFIX',
    default: 'shub:',
    doc: 'Before every key, so that others may use the same Redis.',
    secret: false,
    type: 'text up to 32 characters',
    parse: (given: string) =>
      given.length <= 32 && /^[\x21-\x7e]*$/.test(given) ? { value: given } : { problem: 'must be at most 32 visible characters' },
  },
  postgresPoolSize: integer('POSTGRES_POOL_SIZE', {
    default: '20',
    min: 2,
    max: 500,
    doc: 'Connections a process may hold, besides two for the change feed.',
  }),
  feedCeiling: secondsField('FEED_CEILING_SECONDS', {
    default: '300',
    min: 15,
    max: 3600,
    doc: 'How old the knowledge of revocations may become, with the database away, before verdicts stop with UNAVAILABLE.',
  }),
} as const;
