// docs/reasons.md against the source and the protos: every reason is documented, every documented one is used.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { namesOf } from '../../src/server/config/load.ts';
import { schema } from '../../src/server/config/schema.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const below = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true })
    .map((file) => join(folder, String(file)))
    .filter((file) => file.endsWith(ending));

const CODES = new Set(
  'CANCELLED INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED UNAUTHENTICATED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE'.split(
    ' ',
  ),
);
const PLACES = new Set(['verdict', 'warning', 'start', 'audit', 'reserved']);

interface Row {
  readonly reason: string;
  readonly where: readonly string[];
  readonly meaning: string;
  readonly next: string;
}

const rows: readonly Row[] = read('docs/reasons.md')
  .split('\n')
  .flatMap((line) => {
    const [, reason, where = '', meaning = '', next = ''] = /^\| `([A-Z_]+)` \| ([^|]*) \| ([^|]*) \|([^|]*)\|$/.exec(line) ?? [];
    return reason === undefined ? [] : [{ reason, where: where.split(', '), meaning, next: next.trim() }];
  });
const documented = new Set(rows.map((row) => row.reason));
const reserved = new Set(rows.filter((row) => row.where.includes('reserved')).map((row) => row.reason));

const withoutComments = (text: string): string => text.replace(/\/\*[^]*?\*\//g, '').replace(/(^|\s)\/\/.*/g, '$1');
const sources = below('src', '.ts')
  .filter((file) => !file.startsWith('src/gen/') && !file.endsWith('.test.ts'))
  .map((file) => withoutComments(read(file)));

/** Written like reasons, but something else: settings, the system's error codes, environment variables of others. */
const OTHERS = new Set([
  ...namesOf(schema),
  'SECURITY_HUB_TOKEN',
  'SETUP_PASSWORD',
  'DATA_DIRS',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'EAI_AGAIN',
  'PG_VERSION',
]);
const isReason = (text: string): boolean => !OTHERS.has(text) && (!CODES.has(text) || documented.has(text));

/** Where a reason stands alone in capitals, only its place tells that it is one. */
const SINGLE = /(?:Fault\(\s*'[A-Z_]+',\s*|unavailable\(\s*|reason: |code: |denied\(|ruling\(\w+, |'INVALID_ARGUMENT', )'([A-Z]+)'/g;
const used = new Set(
  sources.flatMap((text) => [
    ...[...text.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)].map((match) => match[1] ?? ''),
    ...[...text.matchAll(SINGLE)].map((match) => match[1] ?? '').filter((text) => !CODES.has(text)),
  ]),
);
const pairs = sources.flatMap((text) =>
  [...text.matchAll(/new Fault\(\s*'([A-Z_]+)',\s*'([A-Z_]+)'/g)].map((match) => [match[1] ?? '', match[2] ?? ''] as const),
);

describe('docs/reasons.md', () => {
  it('has every reason that the source can answer', () => {
    expect([...used].filter((reason) => isReason(reason) && !documented.has(reason)).toSorted((a, b) => a.localeCompare(b))).toEqual([]);
  });

  it('has none that nothing answers, but those it calls reserved', () => {
    const all = sources.join('\n');
    const idle = rows.filter(({ reason }) => !reserved.has(reason) && !all.includes(`'${reason}'`));
    expect(idle.map((row) => row.reason)).toEqual([]);
    expect([...reserved].filter((reason) => used.has(reason))).toEqual([]);
  });

  it('says each once, with where it stands, what it means and what to do', () => {
    expect(rows.length).toBe(documented.size);
    for (const { reason, where, meaning, next } of rows) {
      expect([reason, where.filter((one) => !CODES.has(one) && !PLACES.has(one))]).toEqual([reason, []]);
      expect([reason, /^[A-Z0-9].*\.$/.test(meaning)]).toEqual([reason, true]);
      const selfEvident = ['ALLOWED', 'CANCELLED'].includes(reason) || where.includes('audit') || where.includes('reserved');
      expect([reason, next !== '' || selfEvident]).toEqual([reason, true]);
    }
  });

  it('names the code that each is thrown with', () => {
    const where = new Map(rows.map((row) => [row.reason, row.where]));
    // What stops a start or a command says so, whatever code it carries.
    const wrong = pairs.filter(([code, reason]) => {
      const said = where.get(reason) ?? [];
      return !said.includes(code) && !(said.length === 1 && said[0] === 'start');
    });
    expect(wrong).toEqual([]);
  });

  it('has every reason that the protos promise', () => {
    const promised = below('proto/securityhub', '.proto').flatMap((file) =>
      [...read(file).matchAll(/\/\/(.*)/g)].flatMap(
        (line) => (line[1] ?? '').match(/\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b|\bESCALATION\b/g) ?? [],
      ),
    );
    const unknown = [...new Set(promised)].filter(
      (text) => !documented.has(text) && !CODES.has(text) && !/^(EFFECT|VERDICT|KEY_TYPE)_/.test(text),
    );
    expect(unknown).toEqual([]);
    expect(promised.filter((reason) => reserved.has(reason))).toEqual([]);
  });
});

describe('the reasons of the contract', () => {
  it.each(
    `TOKEN_MALFORMED TOKEN_TOO_LARGE TOKEN_TYPE_WRONG ALGORITHM_NOT_ALLOWED KEY_UNKNOWN SIGNATURE_INVALID CLAIM_INVALID ISSUER_MISMATCH
    AUDIENCE_MISMATCH TOKEN_EXPIRED TOKEN_NOT_YET_VALID TOKEN_REVOKED SESSION_ENDED SESSION_IDLE SUBJECT_SUSPENDED TENANT_SUSPENDED
    BINDING_MISSING BINDING_MISMATCH IP_MISMATCH DEVICE_MISMATCH OUTSIDE_ACCESS_WINDOW MFA_REQUIRED PERMISSION_MISSING SCOPE_MISSING
    ANOMALY_BLOCKED RATE_LIMITED QUOTA_EXCEEDED REFRESH_TOKEN_INVALID REFRESH_TOKEN_REUSED REAUTHENTICATION_REQUIRED USER_SUSPENDED
    CREDENTIALS_INVALID ALLOWED DENIED_EXPLICIT DENIED_TENANT DENIED_CLASSIFICATION DENIED_CONDITION DENIED_CONDITION_ERROR
    DENIED_TIME_WINDOW DENIED_DEFAULT SUBJECT_UNKNOWN SUBJECT_REQUIRED RESOURCE_TYPE_UNKNOWN`
      .trim()
      .split(/\s+/),
  )('%s keeps its name', (reason) => expect(documented).toContain(reason));
});
