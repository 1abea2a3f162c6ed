// The words of the command line: help everywhere, and a hint for each slip.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { runCli } from '../hub-process.ts';

const COMMANDS = ['serve', 'migrate', 'init', 'call', 'policy', 'config', 'doctor', 'recover', 'admin', 'version'];
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };

describe('security-hub --help', () => {
  it('lists every command', async () => {
    const { code, out } = await runCli(['--help']);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  ${command} +[A-Z].*\\.$`, 'm'));
  });

  it.each(COMMANDS)('%s --help shows its usage and does nothing', async (command) => {
    const { code, out, err } = await runCli([command, '--help'], { POSTGRES_URI: 'nonsense' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^Usage: security-hub ${command}\\b`));
  });

  it('is what somebody gets who says nothing, as a mistake', async () => {
    const { code, out } = await runCli([]);
    expect(code).toBe(2);
    expect(out).toContain('Usage: security-hub COMMAND');
  });
});

describe('security-hub version', () => {
  it.each([['version'], ['--version']])('%s says what this is and what it runs on', async (word) => {
    const { code, out } = await runCli([word]);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^security-hub ${version.replaceAll('.', '\\.')} \\(node \\d+\\.\\d+\\.\\d+, openssl \\d`));
  });
});

describe('a slip', () => {
  it.each<[string, string[], string]>([
    ['in a command', ['migarte'], 'did you mean migrate?'],
    ['in an option of the configuration', ['serve', '--htpp-port', '1'], 'did you mean --http-port?\nUsage: '],
    ['of one who wrote a part behind the options', ['config', '--changed', '--http-port=1', 'tls'], 'tls: no such option'],
    ['in an option of a command', ['call', 'SecurityHub/ValidateToken', '--tokn', 'x'], 'did you mean --token?'],
    ['in the word of a command', ['migrate', 'paln'], 'did you mean plan?'],
    ['in the name of a method', ['call', 'SecurityHub/ValidateTokens'], 'did you mean SecurityHub/ValidateToken?'],
    [
      'in the name of a field',
      ['call', 'SecurityHub/ValidateToken', '{"tokn": "x"}'],
      'tokn: is not a field of securityhub.v1.ValidateTokenRequest; did you mean token?',
    ],
    [
      'in a name that would be lost',
      ['call', 'SecurityHub/Encrypt', '{"context": {"attributes": {"__proto__": "x"}}}'],
      '__proto__: is no name here',
    ],
    ['in the JSON', ['call', 'SecurityHub/ValidateToken', '{token}'], 'not valid JSON (line 1 column 2)'],
    ['of one who named the method alone', ['call', 'ValidateToken'], 'say the service, too: SecurityHub/ValidateToken'],
    ['of one who named the service alone', ['call', 'SecurityHub'], 'say which method of SecurityHub: ValidateToken, CheckPermission, '],
    ['of one who named neither', ['call', 'nonsense', '{}'], 'there is no method nonsense'],
    ['in the number of words', ['version', 'please'], 'version does not know please'],
    ['of one who forgot --yes', ['recover'], 'say --yes'],
    ['of one who forgot whom', ['admin', 'recover', '--tenant', 'acme'], 'say --tenant and --username'],
    ['in the word of admin', ['admin', 'recovr'], 'did you mean recover?'],
    ['of one who forgot a value', ['init', '--redeem'], '--redeem needs a value'],
    ['of one who forgot the rest', ['init', '--redeem', 'shs_x'], 'belong together'],
  ])('%s ends with 2 and a hint', async (_, words, hint) => {
    const { code, out, err } = await runCli(words);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(hint);
    expect(err).toMatch(/--help says more/);
  });

  it('in a value names it, and every other one at once, and never shows a secret', async () => {
    const { code, err } = await runCli(['serve', '--grpc-port', '99999'], { LOG_LEVEL: 'loud', POSTGRES_URI: 'postgre://u:hunter2@db/x' });
    expect(code).toBe(1);
    expect(err).toContain('GRPC_PORT must be a whole number from 0 to 65535 (is "99999")');
    expect(err).toContain('LOG_LEVEL must be one of debug, info, warn, error, silent (is "loud")');
    expect(err).toContain('POSTGRES_URI must be postgres://user:password@host:5432/name');
    expect(err).not.toContain('hunter2');
  });

  it('in a name of the environment is said and does not stop anything', async () => {
    const { code, err } = await runCli(['migrate', 'plan'], { GRPC_PROT: '1' });
    expect(code).toBe(1);
    expect(err).toContain('warning: GRPC_PROT is not a name we know; did you mean GRPC_PORT?');
  });
});
