// The documents are true: links lead somewhere, commands exist, and what the README asks the hub is answered.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { namesOf } from '../../src/server/config/load.ts';
import { schema } from '../../src/server/config/schema.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { type HubProcess, hubHome, runCli, startHub } from '../hub-process.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const pages = [
  ...readdirSync(root).filter((file) => file.endsWith('.md')),
  ...readdirSync(join(root, 'docs')).map((file) => join('docs', file)),
];
const readme = read('README.md');

describe('the documents', () => {
  it('link to pages that are there', () => {
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !existsSync(join(root, dirname(page), target)))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('name npm scripts and commands that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const said = pages.flatMap((page) => [...read(page).matchAll(/npm run (?:--silent )?([\w:]+)/g)].map((match) => match[1] ?? ''));
    expect(said.filter((name) => !(name in scripts))).toEqual([]);
    const commands = pages.flatMap((page) =>
      [...read(page).matchAll(/(?:`security-hub|npm run (?:--silent )?hub --) ([a-z]+)/g)].map((match) => match[1]),
    );
    const known = ['serve', 'migrate', 'init', 'call', 'policy', 'config', 'doctor', 'recover', 'admin', 'version'];
    expect(commands.filter((name) => !known.includes(name ?? ''))).toEqual([]);
  });

  it('hold no comment in a line to copy: zsh, the shell of a Mac, takes it for words', () => {
    const blocks = ['README.md', 'docs/operating.md'].flatMap((page) =>
      [...read(page).matchAll(/^```(?:sh|bash)?\n([\s\S]*?)^```/gm)].map((match) => ({ page, text: match[1] ?? '' })),
    );
    const commented = blocks.flatMap(({ page, text }) =>
      text
        .split('\n')
        .filter((line) => /^\s*(npm|npx|export|curl|grpcurl|kubectl|helm|security-hub|\()/.test(line) && /\s#\s/.test(line))
        .map((line) => `${page}: ${line}`),
    );
    expect(commented).toEqual([]);
  });

  it('generate code from templates that are there', () => {
    const templates = pages.flatMap((page) => [...read(page).matchAll(/--template (\S+)/g)].map((match) => match[1] ?? ''));
    expect(templates).toHaveLength(2);
    expect(templates.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('name settings that are there', () => {
    const known = new Set(namesOf(schema));
    const set = pages.flatMap((page) =>
      [...read(page).matchAll(/(?:export |`)([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)=/g)].map((match) => match[1] ?? ''),
    );
    expect(set.length).toBeGreaterThan(3);
    expect(set.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('the README', () => {
  let database: FreshDatabase;
  let hub: HubProcess;
  beforeAll(async () => {
    database = await freshDatabase();
    const { env } = hubHome();
    hub = await startHub({ ...env, POSTGRES_URI: database.uri });
  });
  afterAll(async () => {
    await hub.stop();
    await database.close();
  });

  const call = async (method: string, request: string) => {
    const { code, out, err } = await runCli(['call', method, request], { DATA_DIR: hub.dataDir });
    return { method, code, err, answer: code === 0 ? (JSON.parse(out) as Record<string, unknown>) : {} };
  };

  /** Payload and method of each line, whichever comes first: grpcurl names the method last, curl first. */
  const asked = readme
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .flatMap((line) => {
      const payload = /-d (?:'([^']*)'|"((?:[^"\\]|\\.)*)")/.exec(line);
      const method = /securityhub\.v1\.(\w+\/\w+)/.exec(line)?.[1];
      if (payload === null || method === undefined) return [];
      return [
        { kind: line.includes('curl -s') ? 'curl' : 'grpcurl', method, payload: payload[1] ?? (payload[2] ?? '').replaceAll('\\"', '"') },
      ];
    });

  it.each(['grpcurl', 'curl'])('asks the six calls by %s, and every line is answered', async (kind) => {
    const lines = asked.filter((one) => one.kind === kind);
    expect(lines.map((one) => one.method)).toEqual(
      ['ValidateToken', 'CheckPermission', 'BatchCheck', 'Encrypt', 'Decrypt', 'IssueServiceCert'].map((name) => `SecurityHub/${name}`),
    );
    let sealed = '';
    for (const { method, payload } of lines) {
      const { code, err, answer } = await call(method, payload.replace('$TOKEN', hub.bootstrap().access_token).replace('$SEALED', sealed));
      expect({ method, code, err }).toEqual({ method, code: 0, err: '' });
      if (typeof answer['ciphertext'] === 'string') sealed = answer['ciphertext'];
      if (method.endsWith('Decrypt')) expect(answer['plaintext']).toBe('aGVsbG8=');
    }
  });
});
