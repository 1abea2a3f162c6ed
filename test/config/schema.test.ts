// The configuration as a whole: the names that others rely on, the reference, and a test behind every variable.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { reference } from '../../src/server/config/describe.ts';
import { namesOf } from '../../src/server/config/load.ts';
import { loadConfig, schema } from '../../src/server/config/schema.ts';

const root = join(import.meta.dirname, '../..');
const fields = Object.values(schema).flatMap((slice) => Object.values(slice));
const byName = new Map<string, (typeof fields)[number]>(fields.map((field) => [field.name, field]));

/** Names that other programs rely on, with their defaults. */
const FIXED: readonly (readonly [string, string])[] = [
  ['SERVICE_NAME', 'security-hub'],
  ['HTTP_PORT', '8005'],
  ['GRPC_PORT', '50052'],
  ['POSTGRES_URI', ''],
  ['REDIS_URL', ''],
  ['JWT_PRIVATE_KEY_PATH', ''],
  ['JWT_PUBLIC_KEY_PATH', ''],
  ['ENCRYPTION_KEY_PATH', ''],
  ['HSM_ENABLED', 'false'],
  ['HSM_URL', ''],
  ['MFA_ISSUER_NAME', ''],
  ['MFA_ENFORCE_FOR_ADMINS', 'true'],
  ['SESSION_TIMEOUT_MINUTES', '60'],
  ['REFRESH_TOKEN_DAYS', '30'],
  ['MAX_LOGIN_ATTEMPTS', '5'],
  ['LOCKOUT_DURATION_MINUTES', '30'],
  ['PASSWORD_MIN_LENGTH', '12'],
  ['PASSWORD_REQUIRE_SPECIAL', 'true'],
  ['ENABLE_AUDIT_LOGGING', 'true'],
  ['DATA_RETENTION_DAYS', '365'],
  ['GDPR_MODE', 'true'],
  ['DATA_DIR', './data'],
  ['ACCESS_TOKEN_MINUTES', '5'],
  ['KAFKA_BROKERS', ''],
];

describe('the names of the contract', () => {
  it.each(FIXED)('%s is there, with the default %j', (name, wanted) => {
    expect(byName.get(name)?.default).toBe(wanted);
  });

  it.each([
    'TRUST_DOMAIN',
    'JWT_ISSUER',
    'JWT_AUDIENCE',
    'LOG_LEVEL',
    'GRPC_REFLECTION',
    'AUDIT_DECISIONS',
    'TLS_CERT_PATH',
    'TLS_KEY_PATH',
  ])('%s is there', (name) => {
    expect(byName.has(name)).toBe(true);
  });

  it('each stand for one thing', () => {
    const names = namesOf(schema);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  it('are complete with nothing set: every default is a good value', () => {
    const loaded = loadConfig({ environment: {}, flags: {}, readFile: () => '' });
    expect(loaded.warnings).toEqual([]);
    expect(loaded.config.server).toMatchObject({ httpPort: 8005, grpcPort: 50052 });
  });
});

describe('a variable whose capability is not here yet', () => {
  const reserved = fields.filter((field) => field.type === 'reserved').map((field) => [field.name, field] as const);

  it.each(reserved)('%s is refused when set to something else than its default', (name, field) => {
    const load = (value: string) => () => loadConfig({ environment: { [name]: value }, flags: {}, readFile: () => '' });
    expect(load(`${field.default}x`)).toThrow(`${name} is not supported yet`);
    expect(load(field.default)).not.toThrow();
  });
});

describe('the reference', () => {
  it('is the one that the code would print: node scripts/docs.ts', () => {
    expect(readFileSync(join(root, 'docs/config.md'), 'utf8')).toBe(reference(schema));
  });

  it('says of every variable what it means', () => {
    expect(fields.filter((field) => field.doc.trim() === '').map((field) => field.name)).toEqual([]);
  });
});

describe('every variable', () => {
  const effects = JSON.parse(readFileSync(join(import.meta.dirname, 'effects.json'), 'utf8')) as Record<string, [string, string]>;
  const shown = fields.filter((field) => field.type !== 'reserved').map((field) => field.name);

  it('has a test in effects.json that shows its effect', () => {
    expect(shown.filter((name) => !(name in effects))).toEqual([]);
  });

  it.each(Object.entries(effects))('%s: the test named for it is there', (name, [file, sentence]) => {
    expect(shown).toContain(name);
    expect(readFileSync(join(root, file), 'utf8')).toContain(sentence);
  });
});
