// `security-hub config`: what an operator without the documents at hand finds out.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { namesOf } from '../../src/server/config/load.ts';
import { schema } from '../../src/server/config/schema.ts';
import { runCli } from '../hub-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'security-hub-config-'));

describe('security-hub config', () => {
  it('names every setting with its kind and meaning', async () => {
    const { code, out } = await runCli(['config']);
    expect(code).toBe(0);
    const missing = namesOf(schema).filter((name) => !name.endsWith('_FILE') && !new RegExp(`^${name}=.*\\n {4}\\S`, 'm').test(out));
    expect(missing).toEqual([]);
    expect(out).toContain('# server\nSERVICE_NAME=security-hub');
  });

  it('says what is in force and who says so: option before environment before file', async () => {
    const path = join(folder, 'hub.env');
    writeFileSync(path, 'HTTP_PORT=1\nGRPC_PORT=2\nPROBE_PORT=3\n');
    const { out } = await runCli(['config', 'port', '--grpc-port', '6'], { CONFIG_FILE: path, HTTP_PORT: '4' });
    expect(out.match(/^[A-Z]\S+=.*$/gm)).toEqual([
      'GRPC_PORT=6   (flag; default 50052)',
      'HTTP_PORT=4   (environment; default 8005)',
      'PROBE_PORT=3   (file; default 0)',
    ]);
  });

  it('with --changed shows what is not at its default, and never a secret', async () => {
    const { code, out, err } = await runCli(['config', '--changed', 'log', 'uri'], {
      LOG_LEVEL: 'warn',
      POSTGRES_URI: 'postgres://u:hunter2@db/x',
    });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.match(/^[A-Z]\S+=.*$/gm)).toEqual([
      'LOG_LEVEL=warn   (environment; default info)',
      'POSTGRES_URI=(set)   (environment; default none)',
    ]);
    expect(out).not.toContain('hunter2');
  });

  it('lists also where something is wrong, and ends with 1 and every problem', async () => {
    const { code, out, err } = await runCli(['config', 'log_level'], { LOG_LEVEL: 'loud' });
    expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining('LOG_LEVEL=loud   (environment; default info)') });
    expect(err).toContain('LOG_LEVEL must be one of debug, info, warn, error, silent');
  });

  it('ends with 1 where no setting has such a name', async () => {
    expect(await runCli(['config', 'nonsense'])).toMatchObject({ code: 1, out: 'no such setting\n' });
  });
});
