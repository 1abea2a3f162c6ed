// What the tables of access and bad input expect is what the contract says: every reason stands at its RPC or at its service.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const proto = join(root, 'proto/securityhub/v1');
const json = (path: string): unknown => JSON.parse(readFileSync(join(root, 'test/cases', path), 'utf8'));

/** `securityhub.v1.SecurityHub/Encrypt` → what its comment and that of its service say. */
const comments = new Map<string, string>();
for (const file of readdirSync(proto)) {
  let service = ['', ''];
  let comment = '';
  for (const line of readFileSync(join(proto, file), 'utf8').split('\n')) {
    const [, kind, name = ''] = /^\s*(service|rpc) (\w+)/.exec(line) ?? [];
    if (kind === 'service') service = [name, comment];
    if (kind === 'rpc') comments.set(`securityhub.v1.${service[0]}/${name}`, `${service[1]}\n${comment}`);
    comment = line.trimStart().startsWith('//') ? `${comment}\n${line.trim()}` : '';
  }
}

const expected = new Map<string, Set<string>>();
/** `OK`, `OK REASON` or `CODE REASON`. */
const expects = (rpc: string, outcome: string): void => {
  const reason = outcome.split(' ')[1];
  if (reason === undefined || !rpc.startsWith('securityhub.')) return;
  expected.set(rpc, (expected.get(rpc) ?? new Set()).add(reason));
};

const matrix = json('access-matrix.json') as {
  readonly rows: readonly Readonly<Record<string, string>>[];
  readonly foreign_ids: readonly { readonly rpc: string; readonly reads: string }[];
};
for (const { rpc = '', of: _of, ...cells } of matrix.rows) for (const cell of Object.values(cells)) expects(rpc, cell);
for (const { rpc, reads } of matrix.foreign_ids) expects(rpc.split(': ')[0] ?? '', reads);
for (const name of ['validate-token', 'check-permission', 'batch-check', 'encrypt', 'decrypt', 'issue-service-cert']) {
  const table = json(`bad-input/${name}.json`) as {
    readonly rpc: string;
    readonly cases: readonly { readonly expect: string; readonly results?: readonly string[] }[];
  };
  for (const one of table.cases) {
    expects(table.rpc, one.expect);
    for (const result of one.results ?? []) expects(table.rpc, `OK ${result}`);
  }
}

/** "ValidateToken's reasons" are those of another RPC, "the token reasons" those of ValidateToken. */
const VALIDATE = comments.get('securityhub.v1.SecurityHub/ValidateToken') ?? '';
const CHECK = comments.get('securityhub.v1.SecurityHub/CheckPermission') ?? '';
const saysOf = (rpc: string): string => {
  const own = comments.get(rpc) ?? '';
  const check = own.includes("CheckPermission's") ? CHECK : '';
  return [own, check, `${own}${check}`.includes("ValidateToken's reasons") ? VALIDATE : ''].join('\n');
};

describe('the contract says each reason that', () => {
  it.each([...expected].map(([rpc, reasons]) => [rpc, [...reasons].toSorted()] as const))('%s answers', (rpc, reasons) => {
    const words = new Set(saysOf(rpc).match(/\b[A-Z][A-Z0-9_]+\b/g));
    expect(reasons.filter((reason) => !words.has(reason))).toEqual([]);
  });
});
