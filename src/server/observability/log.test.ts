import { describe, expect, it } from '@jest/globals';
import { createLog, type LogLevel } from './log.ts';

const CANARY = 'c4n4ry-7f3a';

const capture = (level: LogLevel = 'debug') => {
  const lines: string[] = [];
  const log = createLog({ service: 'hub', level, write: (line) => lines.push(line) });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
};

describe('the log', () => {
  it('writes one JSON object a line', () => {
    const { log, lines, last } = capture();
    log.info({ port: 8005, requestId: 'r1' }, 'ready');
    expect(lines).toHaveLength(1);
    expect(last()).toMatchObject({ level: 'info', service: 'hub', port: 8005, requestId: 'r1', message: 'ready' });
  });

  it('LOG_LEVEL is the least severe line that is written', () => {
    const { log, lines } = capture('warn');
    log.info({}, 'not written');
    log.warn({}, 'written');
    expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(['written']);
  });

  it('shows the value of no name that nobody allowed', () => {
    const { log, last } = capture();
    log.info({ password: CANARY, request: { token: CANARY }, tenantId: 'acme' }, 'login');
    expect(last()).toMatchObject({ password: '[omitted]', request: '[omitted]', tenantId: 'acme' });
  });

  it.each([
    ['a JWS', `eyJhbGciOiJFUzI1NiJ9.${CANARY}.${CANARY}`],
    ['an opaque token', `shr_acme_${CANARY}_aaaaaaaaaaaaa`],
    ['a bearer credential', `Bearer ${CANARY}aaaa`],
    ['a password in a URL', `postgres://app:${CANARY}@db:5432/hub`],
    ['a private key', `-----BEGIN PRIVATE KEY-----\n${CANARY}\n-----END PRIVATE KEY-----`],
    ['an assignment', `password="${CANARY}"`],
  ])('takes %s out of messages, allowed fields and errors', (_, secret) => {
    const { log, lines } = capture();
    const thrown = Object.assign(new Error(`it said ${secret}`, { cause: new Error(secret) }), { detail: secret, parameters: [secret] });
    log.error({ error: thrown, reason: secret, ids: [secret] }, `failed on ${secret}`);
    expect(lines.join('')).not.toContain(CANARY);
  });

  it('says nothing of an error that there is not', () => {
    const { log, lines } = capture();
    log.warn({ cause: undefined }, 'late');
    expect(lines.join('')).not.toContain('error');
  });

  it('keeps of an error its name, code, message and frames', () => {
    const { log, last } = capture();
    log.error({ error: Object.assign(new TypeError('no such thing'), { code: 'ENOENT', rows: [CANARY] }) }, 'failed');
    expect(last()['error']).toMatchObject({ name: 'TypeError', code: 'ENOENT', message: 'no such thing' });
  });
});
