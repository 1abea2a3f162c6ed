import { describe, expect, it } from '@jest/globals';
import { distance, nearest } from '../../src/base/distance.ts';
import { flag, integer, list, minutesField, reserved, secret, text } from '../../src/server/config/field.ts';
import { flagsOf, load, type Sources } from '../../src/server/config/load.ts';
import type { Fault } from '../../src/base/fault.ts';

const schema = {
  server: {
    configFile: text('CONFIG_FILE', { doc: '' }),
    port: integer('HTTP_PORT', { default: '8005', min: 1, max: 65535, doc: '' }),
    hosts: list('HTTP_HOSTS', { doc: '' }),
    strict: flag('STRICT_MODE', { default: 'true', doc: '' }),
  },
  storage: {
    uri: secret('POSTGRES_URI', { doc: '' }),
    life: minutesField('SESSION_TIMEOUT_MINUTES', { default: '60', min: 1, max: 1440, doc: '' }),
    hsm: reserved('HSM_ENABLED', { default: 'false', doc: '' }),
  },
};

const sources = (over: Partial<Sources> & { readonly files?: Readonly<Record<string, string>> } = {}): Sources => ({
  environment: {},
  flags: {},
  readFile: (path) => {
    const content = over.files?.[path];
    if (content === undefined) throw new Error('ENOENT');
    return content;
  },
  ...over,
});

const problemsOf = (given: Sources): string => {
  try {
    load(schema, given);
  } catch (thrown) {
    return (thrown as Fault).message;
  }
  return '';
};

describe('the configuration', () => {
  it('is made of defaults where nobody says anything', () => {
    const { config } = load(schema, sources());
    expect(config).toEqual({
      server: { configFile: '', port: 8005, hosts: [], strict: true },
      storage: { uri: '', life: 3_600_000, hsm: 'false' },
    });
  });

  it('believes flags before the environment, the environment before the file, the file before defaults', () => {
    const given = sources({
      flags: { HTTP_PORT: '1' },
      environment: { CONFIG_FILE: 'hub.env', HTTP_PORT: '2', SESSION_TIMEOUT_MINUTES: '20' },
      files: { 'hub.env': '# ports\nHTTP_PORT=3\nSESSION_TIMEOUT_MINUTES=30\nHTTP_HOSTS="a, b"\n' },
    });
    const { config } = load(schema, given);
    expect(config.server).toMatchObject({ port: 1, hosts: ['a', 'b'] });
    expect(config.storage.life).toBe(1_200_000);
  });

  it('reads a JSON file as well', () => {
    const given = sources({ environment: { CONFIG_FILE: 'hub.json' }, files: { 'hub.json': '{"HTTP_PORT": 9, "STRICT_MODE": false}' } });
    expect(load(schema, given).config.server).toMatchObject({ port: 9, strict: false });
  });

  it('takes an empty variable for one that is not set', () => {
    expect(load(schema, sources({ environment: { HTTP_PORT: '' } })).config.server.port).toBe(8005);
  });

  it('reads a secret from the file that <NAME>_FILE names, without its last line end', () => {
    const { config } = load(schema, sources({ environment: { POSTGRES_URI_FILE: '/run/uri' }, files: { '/run/uri': 'postgres://x\n' } }));
    expect(config.storage.uri).toBe('postgres://x');
  });

  it('names every problem at once', () => {
    const given = sources({
      environment: { CONFIG_FILE: 'hub.env', HTTP_PORT: '70000', HSM_ENABLED: 'true', POSTGRES_URI_FILE: '/gone' },
      files: { 'hub.env': 'HTTP_PROT=1\nwhat\n' },
    });
    const message = problemsOf(given);
    expect(message).toContain('5 problem(s)');
    expect(message).toContain('HTTP_PORT must be a whole number from 1 to 65535 (is "70000")');
    expect(message).toContain('hub.env: HTTP_PROT is not a name we know; did you mean HTTP_PORT?');
    expect(message).toContain('hub.env: line 2 is not NAME=value');
    expect(message).toContain('POSTGRES_URI_FILE: /gone cannot be read');
    expect(message).toContain('HSM_ENABLED is not supported yet');
  });

  it.each([
    ['a file that is not there', { environment: { CONFIG_FILE: 'gone' } }, 'CONFIG_FILE: gone cannot be read'],
    ['a file that is not JSON', { environment: { CONFIG_FILE: 'f' }, files: { f: '{' } }, 'f: is not valid JSON'],
    ['a list in a JSON file', { environment: { CONFIG_FILE: 'f' }, files: { f: '{"HTTP_PORT":[1]}' } }, 'HTTP_PORT must be text'],
    ['a secret given twice', { environment: { POSTGRES_URI: 'x', POSTGRES_URI_FILE: 'f' }, files: { f: 'y' } }, 'not both'],
    ['an empty secret file', { environment: { POSTGRES_URI_FILE: 'f' }, files: { f: '\n' } }, 'POSTGRES_URI_FILE: f is empty'],
  ])('refuses %s', (_, over, sentence) => {
    expect(problemsOf(sources(over))).toContain(sentence);
  });

  it('never repeats the value of a secret', () => {
    const bad = { a: { key: { ...secret('A_KEY', { doc: '' }), parse: () => ({ problem: 'must be 32 bytes' }) } } };
    expect(() => load(bad, sources({ environment: { A_KEY: 'hunter2' } }))).toThrow(/A_KEY must be 32 bytes$/);
  });

  it('warns of a variable whose name is nearly one of ours', () => {
    const { warnings } = load(schema, sources({ environment: { POSTGRES_URL: 'x', HTTP_PROXY: 'x', HOME: 'x', STRICTMODE: 'x' } }));
    expect(warnings).toEqual([
      'POSTGRES_URL is not a name we know; did you mean POSTGRES_URI?',
      'STRICTMODE is not a name we know; did you mean STRICT_MODE?',
    ]);
  });
});

describe('flags', () => {
  it('are the names of the variables in small letters with dashes', () => {
    const { flags, problems } = flagsOf(schema, ['--http-port', '1', '--strict-mode', '--http-hosts=a=b']);
    expect(problems).toEqual([]);
    expect(flags).toEqual({ HTTP_PORT: '1', STRICT_MODE: 'true', HTTP_HOSTS: 'a=b' });
  });

  it('that nobody knows are problems', () => {
    expect(flagsOf(schema, ['--http-prot', '1', 'x']).problems).toEqual([
      '--http-prot: no such option; did you mean --http-port?',
      'x: no such option',
    ]);
  });
});

describe('a slip of the pen', () => {
  it.each([
    ['LOG_LEVEL', 'LOG_LEVEL', 0],
    ['LOG_LEVLE', 'LOG_LEVEL', 1],
    ['LOGLEVEL', 'LOG_LEVEL', 1],
    ['LOG_LVEL', 'LOG_LEVEL', 1],
    ['', 'ABC', 3],
  ])('%s is from %s this far', (a, b, apart) => {
    expect(distance(a, b)).toBe(apart);
  });

  it('in a short name may be one character, so that strangers are left alone', () => {
    expect(nearest('TLX', ['TLS'])).toBe('TLS');
    expect(nearest('TXX', ['TLS'])).toBeNull();
    expect(nearest('XLS', ['TLS'])).toBeNull();
  });
});
