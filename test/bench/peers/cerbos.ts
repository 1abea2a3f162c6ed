// The Cerbos side of the load test: its policies, its requests as bytes, its process on the server's core.
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { freePort } from '../../stores.ts';
import { openCaller } from '../driver.ts';
import { type Asked, EMPLOYEE, type Page, PAGES, pad, requireAnswers } from './leave.ts';

export const CHECK = '/cerbos.svc.v1.CerbosService/CheckResources';

const VARIABLES = `  variables:
    local:
      pending: '"PENDING_APPROVAL"'
      location: '(P.attr.ip_address.inIPAddrRange("10.20.0.0/16") ? "GB" : "")'
`;
const rule = (actions: string, who: string, when = ''): string =>
  `    - actions: [${actions}]\n      effect: EFFECT_ALLOW\n      ${who}\n${when === '' ? '' : `      condition: { match: { expr: '${when}' } }\n`}`;
const OWNER = 'derivedRoles: [owner]';
const MANAGER = 'derivedRoles: [direct_manager]';
const VIEW = rule('view_public, view_private', 'derivedRoles: [owner, direct_manager]');
const APPROVE = rule('approve', MANAGER, 'R.attr.status == V.pending');
const DELETE = rule('delete', MANAGER, 'R.attr.geography == V.location');
const DEFER = rule('defer', 'roles: [employee]', '"hr" in P.attr.audiences && "A" in P.attr.flags');
const ADMIN = rule("'*'", 'roles: [chief]');
const CREATE = rule('create', OWNER);
const PUBLIC = rule('view_public', 'derivedRoles: [any_employee]');

const resource = (unit: string, kind: string, version: string, scope: string, rules: string, variables = ''): string =>
  `apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: ${kind}_${unit}
  version: "${version}"
${scope === '' ? '' : `  scope: ${scope}\n`}  importDerivedRoles: [alpha_${unit}, beta_${unit}]
${variables}  rules:
${rules}`;

const DERIVED = {
  alpha: `    - { name: chief, parentRoles: [chief] }
    - { name: tester, parentRoles: [dev, qa] }
    - { name: owner, parentRoles: [employee], condition: { match: { expr: 'R.attr.owner == P.id' } } }
`,
  beta: `    - { name: any_employee, parentRoles: [employee] }
    - name: direct_manager
      parentRoles: [manager]
      condition:
        match: { all: { of: [{ expr: 'R.attr.geography == P.attr.geography' }, { expr: 'R.attr.geography == P.attr.managed' }] } }
`,
};

const policies = (unit: string): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(
    Object.entries(DERIVED).map(([name, definitions]) => [
      name,
      `apiVersion: api.cerbos.dev/v1\nderivedRoles:\n  name: ${name}_${unit}\n  definitions:\n${definitions}`,
    ]),
  ),
  dev: `apiVersion: api.cerbos.dev/v1
principalPolicy:
  principal: dev_${unit}
  version: "2021"
  rules:
    - resource: leave_request_${unit}
      actions: [{ action: '*', effect: EFFECT_ALLOW, condition: { match: { expr: 'R.attr.dev_record == true' } } }]
    - resource: salary_record_${unit}
      actions: [{ action: '*', effect: EFFECT_DENY }]
`,
  leave_2021: resource(unit, 'leave_request', '2021', '', ADMIN + CREATE + VIEW + PUBLIC + APPROVE + DELETE + DEFER, VARIABLES),
  leave: resource(unit, 'leave_request', 'default', '', ADMIN),
  leave_acme: resource(unit, 'leave_request', 'default', 'acme', CREATE + PUBLIC),
  leave_acme_hr: resource(unit, 'leave_request', 'default', 'acme.hr', VIEW + DELETE + APPROVE + DEFER, VARIABLES),
  leave_acme_hr_uk: resource(
    unit,
    'leave_request',
    'default',
    'acme.hr.uk',
    rule('delete', 'derivedRoles: [owner, direct_manager]', 'R.attr.geography == V.location') +
      rule('defer', 'derivedRoles: [owner, direct_manager]'),
    VARIABLES,
  ),
  employee: resource(unit, 'employee_record', 'default', '', ADMIN),
});

/** map<string, google.protobuf.Value> of texts. */
const attributes = (writer: BinaryWriter, field: number, values: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(values)) {
    const value = new BinaryWriter()
      .uint32((3 << 3) | 2)
      .string(text)
      .finish();
    const entry = new BinaryWriter()
      .uint32((1 << 3) | 2)
      .string(name)
      .uint32((2 << 3) | 2)
      .bytes(value)
      .finish();
    writer.uint32((field << 3) | 2).bytes(entry);
  }
};

const texts = (writer: BinaryWriter, fields: readonly (readonly [number, string])[]): BinaryWriter => {
  for (const [field, text] of fields) if (text !== '') writer.uint32((field << 3) | 2).string(text);
  return writer;
};

const entryOf = (unit: string, { kind, id, owner, department, team, geography, scope, actions }: Asked): Uint8Array => {
  const asked = texts(new BinaryWriter(), [
    [1, `${kind}_${unit}`],
    [2, scope === '' ? '2021' : ''],
    [3, id],
    [5, scope],
  ]);
  attributes(asked, 4, { department, geography, id, owner, team });
  const writer = texts(
    new BinaryWriter(),
    actions.map((action) => [1, action] as const),
  );
  return writer
    .uint32((2 << 3) | 2)
    .bytes(asked.finish())
    .finish();
};

export const requestOf = (unit: string, page: Page, id: number): Buffer => {
  const version = page === PAGES[0] ? '2021' : '';
  const who = texts(new BinaryWriter(), [
    [1, EMPLOYEE],
    [2, version],
    [3, 'employee'],
    [5, version === '' ? 'acme.hr' : ''],
  ]);
  attributes(who, 4, page.principal);
  const writer = texts(new BinaryWriter(), [[1, `bench-${id}`]]);
  writer.uint32((3 << 3) | 2).bytes(who.finish());
  for (const asked of page.asked) writer.uint32((4 << 3) | 2).bytes(entryOf(unit, asked));
  return Buffer.from(writer.finish());
};

type Found = readonly (readonly [number, Uint8Array | number])[];
const fieldsOf = (bytes: Uint8Array): Found => {
  const reader = new BinaryReader(bytes);
  const found: [number, Uint8Array | number][] = [];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (wire === 2) found.push([field, reader.bytes()]);
    else if (wire === 0) found.push([field, reader.int32()]);
    else reader.skip(wire);
  }
  return found;
};
const all = (found: Found, field: number): readonly Uint8Array[] =>
  found.flatMap(([number, value]) => (number === field && typeof value !== 'number' ? [value] : []));

const EFFECT_ALLOW = 1;

/** Results are in the order of the resources, actions of each are a map. */
const answersOf = (bytes: Buffer, page: Page): readonly boolean[] =>
  all(fieldsOf(bytes), 2).flatMap((result, at) => {
    const effects = new Map(
      all(fieldsOf(result), 2).map((entry) => {
        const fields = fieldsOf(entry);
        return [Buffer.from(all(fields, 1)[0] ?? []).toString(), fields.find(([field]) => field === 2)?.[1]] as const;
      }),
    );
    return (page.asked[at]?.actions ?? []).map((action) => effects.get(action) === EFFECT_ALLOW);
  });

export interface Cerbos {
  readonly pid: number;
  readonly grpc: string;
  stop(): Promise<void>;
}

/** As its own load test runs it: policies on disk, no audit, no schemas. On the server's core from its start, so that its runtime knows. */
export const startCerbos = async (binary: string, units: number): Promise<Cerbos> => {
  const folder = mkdtempSync(join(tmpdir(), 'security-hub-cerbos-'));
  for (let unit = 0; unit < units; unit += 1)
    for (const [name, text] of Object.entries(policies(pad(unit)))) writeFileSync(join(folder, `${name}_${pad(unit)}.yaml`), text);
  const [http, grpc] = [await freePort(), await freePort()];
  const settings = {
    telemetry: { disabled: true },
    server: { httpListenAddr: `127.0.0.1:${http}`, grpcListenAddr: `127.0.0.1:${grpc}` },
    storage: { driver: 'disk', disk: { directory: folder, watchForChanges: false } },
    audit: { enabled: false },
    schema: { enforcement: 'none' },
  };
  const config = join(mkdtempSync(join(tmpdir(), 'security-hub-cerbos-')), 'config.json');
  writeFileSync(config, JSON.stringify(settings));
  const child = spawn('taskset', ['-c', '0', binary, 'server', `--config=${config}`, '--log-level=error'], { stdio: 'inherit' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const address = `127.0.0.1:${grpc}`;
  for (let left = 600; ; left -= 1) {
    const answer = await fetch(`http://127.0.0.1:${http}/_cerbos/health`).catch(() => null);
    if (answer?.ok === true) break;
    if (child.exitCode !== null || left === 0) {
      child.kill();
      throw new Error('Cerbos did not start');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const caller = await openCaller(address);
  for (const [at, page] of PAGES.entries())
    requireAnswers('Cerbos', at, answersOf(await caller.call(CHECK, requestOf(pad(units - 1), page, 0)), page));
  caller.close();
  return {
    pid: child.pid ?? 0,
    grpc: address,
    stop() {
      child.kill();
      return ended;
    },
  };
};
