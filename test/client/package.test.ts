// The package as it is published: packed, installed into an empty folder, used by every kind of program that Node knows.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { install, nodes } from './installed.ts';

const root = join(import.meta.dirname, '../..');
const read = <T>(file: string): T => JSON.parse(readFileSync(file, 'utf8')) as T;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
}

let folder: string;
beforeAll(() => {
  folder = install();
});

const PROGRAM = `
const { createClient, expressGuard, fastifyGuard, grpcGuard, hasPermission, hasRole, isActive, principalOf, Fault, Verdict } = hub;
const client = createClient({ address: '127.0.0.1:1', attempts: 1 });
client.validateToken({ token: 't' }).catch((error) => {
  const guards = [expressGuard, fastifyGuard, grpcGuard, hasPermission, hasRole, isActive, principalOf].every((one) => typeof one === 'function');
  console.log(JSON.stringify([error instanceof Fault, error.code, error.reason, guards, Verdict.VERDICT_VALID]));
  return client.close();
});`;

const run = (node: string, name: string, text: string): unknown => {
  writeFileSync(join(folder, name), text);
  return JSON.parse(execFileSync(node, ['--no-warnings', join(folder, name)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
};
const WANTED = [true, 'UNAVAILABLE', 'HUB_UNREACHABLE', true, 1];

describe('the published client', () => {
  it.each(nodes())('is imported under %s', (node) => {
    expect(run(node, 'program.mjs', `import * as hub from 'security-hub-client';${PROGRAM}`)).toEqual(WANTED);
  });

  it.each(nodes())('is required under %s', (node) => {
    expect(run(node, 'program.cjs', `const hub = require('security-hub-client');${PROGRAM}`)).toEqual(WANTED);
  });

  it('is one and the same, however it was loaded', () => {
    const program = `import { Fault } from 'security-hub-client';
import { createRequire } from 'node:module';
console.log(createRequire(import.meta.url)('security-hub-client').Fault === Fault);`;
    expect(run(process.execPath, 'both.mjs', program)).toBe(true);
  });

  it.each(['mts', 'cts'])('has types for a strict program (.%s)', (ending) => {
    const program = `import { createClient, type Principal, principalOf } from 'security-hub-client';
const client = createClient({ address: 'hub:50052', tls: { ca: 'ca.pem' } });
const valid: Promise<boolean> = client.validateToken({ token: 't', context: { ipAddress: '::1' } }).then((verdict) => verdict.valid);
const renewed: Promise<string | undefined> = client.token.refreshToken({ refreshToken: 'r' }).then(({ tokens }) => tokens?.accessToken);
const who: Principal | null = principalOf({});
// @ts-expect-error: there is no such field
void client.validateToken({ tokn: 't' });
export const all = [valid, renewed, who];
`;
    writeFileSync(join(folder, `typed.${ending}`), program);
    mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
    for (const name of ['@types/node', 'undici-types'])
      cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true });
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
      '--exactOptionalPropertyTypes',
    ];
    execFileSync(join(root, 'node_modules/.bin/tsc'), [...options, `typed.${ending}`], { cwd: folder, stdio: 'inherit' });
  });

  it('carries no test, no server and no secret', () => {
    const files = readdirSync(join(folder, 'node_modules/security-hub-client'), { recursive: true }).map(String);
    expect(
      files.filter((file) => /\.test\.|\.postgres|\.redis|\.forge|\.wire|\.sql|\.pem|\.env|migrations|(^|\/)app\./.test(file)),
    ).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'index.mjs', 'index.d.mts', 'vendor/protobuf/NOTICE']));
  });

  it('has the version and the floor of the hub, and a range of its dependency that the hub is tested with', () => {
    const published = read<Manifest>(join(folder, 'node_modules/security-hub-client/package.json'));
    const hub = read<Manifest>(join(root, 'package.json'));
    expect([published.version, published.engines]).toEqual([hub.version, hub.engines]);
    expect(published.dependencies).toEqual({ '@grpc/grpc-js': `^${hub.dependencies['@grpc/grpc-js']}` });
    expect(readFileSync(join(root, 'src/client/connection.grpc.ts'), 'utf8')).toContain(`'${published.version}'`);
  });
});
