// The access matrix: every RPC × every kind of caller → the code it gets, cell by cell over TLS on the built hub.
import { readFileSync } from 'node:fs';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { descriptors } from '../../src/server/descriptors/registry.ts';
import { CALLERS, type CallerName, createWorld, NAMESPACE, object, type World } from './access-callers.ts';
import { REQUESTS } from './access-requests.ts';
import type { Outcome } from './json-client.ts';

interface Row extends Readonly<Record<CallerName, string>> {
  readonly rpc: string;
  readonly of?: string;
}

/** The same request about an object of another tenant and about one that never was. */
interface ForeignId {
  readonly rpc: string;
  /** Where the id stands in the request. */
  readonly field: string;
  readonly made_up: string;
  readonly reads: string;
}

const { rows, foreign_ids: foreignIds } = JSON.parse(readFileSync(new URL('../cases/access-matrix.json', import.meta.url), 'utf8')) as {
  readonly rows: readonly Row[];
  readonly foreign_ids: readonly ForeignId[];
};
const keyOf = ({ rpc, of }: Pick<Row, 'rpc' | 'of'>): string => (of === undefined ? rpc : `${rpc}: ${of}`);

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

interface Answer {
  readonly valid?: boolean;
  readonly reasons?: readonly { readonly code: string }[];
  readonly allowed?: boolean;
  readonly reasonCode?: string;
  readonly results?: readonly Answer[];
  /** Of Envoy's answer. */
  readonly dynamicMetadata?: { readonly allowed: boolean; readonly reason: string };
}

/** What an answer that is no error says when it says no. */
const verdict = (answer: Answer): string => {
  if (answer.valid === false) return answer.reasons?.[0]?.code ?? '';
  if (answer.allowed === false) return answer.reasonCode ?? '';
  if (answer.dynamicMetadata?.allowed === false) return answer.dynamicMetadata.reason;
  return answer.results?.[0] === undefined ? '' : verdict(answer.results[0]);
};
/** What stands in the request at that place. */
const at = (request: JsonObject, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, name) => object(inner as JsonObject)[name], request);
/** The request with another value at that place. */
const replaced = (request: JsonObject, [name = '', ...rest]: readonly string[], value: string): JsonObject => ({
  ...request,
  [name]: rest.length === 0 ? value : replaced(object(request[name]), rest, value),
});
const requestFor = async (key: string, unique: string, tenant: { readonly tenantId?: string } = {}): Promise<JsonObject> => {
  const build = REQUESTS[key];
  if (build === undefined) throw new Error(`no request for ${key}`);
  return build({ world, unique, tenant });
};
const said = ({ code, reason, answer }: Outcome): string => `${code} ${code === 'OK' ? verdict(answer as Answer) : reason}`.trim();

describe('the access matrix', () => {
  it('has a row for every RPC there is, and for no other', () => {
    const described = [...descriptors().registry].flatMap((type) =>
      type.kind === 'service' ? type.methods.map((method) => `${type.typeName}/${method.name}`) : [],
    );
    expect([...new Set(rows.map(({ rpc }) => rpc))].toSorted()).toEqual(described.toSorted());
    expect(rows.map(keyOf).toSorted()).toEqual(Object.keys(REQUESTS).toSorted());
  });

  describe.each(rows.map((row) => [keyOf(row), row] as const))('%s', (key, row) => {
    it.each(CALLERS.map((caller) => [caller, row[caller]] as const))('%s: %s', async (caller, wanted) => {
      const unique = `x${caller.replace('_', '-')}-${rows.indexOf(row)}`;
      const request = await requestFor(key, unique, caller === 'foreign' ? { tenantId: 'dev' } : {});
      expect(said(await world.call(caller, row.rpc, request))).toBe(wanted);
    });
  });
});

describe('an object of another tenant reads like one that never was', () => {
  it.each(foreignIds.map((one, at) => [one.rpc, one.reads, one, at] as const))(
    '%s: %s',
    async (key, reads, { field, made_up: madeUp }, number) => {
      const [rpc = ''] = key.split(': ');
      const path = field.split('.');
      const request = await requestFor(key, `foreign-id-${number}`);
      const foreign = await world.call('foreign', rpc, request);
      expect(said(foreign)).toBe(reads);
      const never = await world.call('foreign', rpc, replaced(request, path, madeUp));
      /** An answer may repeat the id that was asked for. */
      const told = ({ code, reason, message, violations, answer }: Outcome, id: string) => {
        const { reasonCode, appliedPolicies } = answer;
        return { code, reason, message: message.replaceAll(id, '(the id)'), violations, reasonCode, appliedPolicies };
      };
      expect(told(never, madeUp)).toEqual(told(foreign, String(at(request, path))));
    },
  );
});

describe('a list shows nothing of another tenant', () => {
  it.each(['UserService/ListUsers', 'WorkloadService/ListWorkloads', 'ApiKeyService/ListApiKeys', 'EncryptionService/ListKeys'])(
    '%s',
    async (name) => {
      const rpc = `securityhub.v1.${name}`;
      // Every kind of object is on both sides of the wall by now.
      await world.makeAbroad('securityhub.v1.ApiKeyService/CreateApiKey', { name });
      await world.makeAbroad('securityhub.v1.EncryptionService/CreateKey', { name: name.replace('/', '-') });
      const seen = async (caller: CallerName): Promise<string> => JSON.stringify((await world.call(caller, rpc, {})).answer);
      expect(await seen('admin')).toContain('"tenantId":"dev"');
      const foreign = await seen('foreign');
      expect(foreign).toContain('"tenantId":"acme"');
      expect(foreign).not.toContain('"dev"');
    },
  );
});

const HUB = 'securityhub.v1.SecurityHub';
const sealed = (text: string): JsonObject => ({ plaintext: Buffer.from(text).toString('base64') });

describe('a certificate for billing', () => {
  it('may validate and check', async () => {
    const { accessToken = '' } = await world.newSession();
    const { answer } = await world.call('workload', `${HUB}/ValidateToken`, { token: accessToken });
    expect(answer).toMatchObject({ valid: true, subject: { id: world.userId, tenantId: 'dev' } });
    const check = { token: accessToken, action: 'write', resource: { type: 'conversations' } };
    expect((await world.call('workload', `${HUB}/CheckPermission`, check)).answer).toMatchObject({ allowed: true });
    const { token, ...batch } = check;
    expect((await world.call('workload', `${HUB}/BatchCheck`, { token, checks: [batch] })).answer).toMatchObject({
      results: [{ allowed: true }],
    });
  });

  it('validates for no audience it is not registered for', async () => {
    const { accessToken = '' } = await world.newSession();
    const asked = { token: accessToken, audience: 'payments' };
    expect(said(await world.call('workload', `${HUB}/ValidateToken`, asked))).toBe('PERMISSION_DENIED AUDIENCE_FORBIDDEN');
  });

  it('asks about no resource type it is not registered for', async () => {
    const check = { subject: { type: 'user', id: world.userId }, action: 'read', resource: { type: 'analytics' } };
    expect(said(await world.call('workload', `${HUB}/CheckPermission`, check))).toBe('PERMISSION_DENIED RESOURCE_TYPE_FORBIDDEN');
  });

  it("opens what it sealed, and nobody else's data", async () => {
    const { ciphertext: own = '' } = (await world.call('workload', `${HUB}/Encrypt`, sealed('its own'))).answer;
    expect((await world.call('workload', `${HUB}/Decrypt`, { ciphertext: own })).answer).toMatchObject(sealed('its own'));

    const paid = { namespace: NAMESPACE, name: 'payments', calls: ['Encrypt'], permissions: ['encryption_key:encrypt'] };
    await world.make('securityhub.v1.WorkloadService/PutWorkload', { workload: paid });
    const certified = await world.make(`${HUB}/IssueServiceCert`, { namespace: NAMESPACE, service: 'payments', generateKey: {} });
    const { ciphertext: others = '' } = await world.mtls(certified).ask(`${HUB}/Encrypt`, sealed('of payments'));
    const { ciphertext: shared = '' } = await world.make(`${HUB}/Encrypt`, sealed('of the tenant'));
    for (const ciphertext of [others, shared])
      expect(said(await world.call('workload', `${HUB}/Decrypt`, { ciphertext }))).toBe('PERMISSION_DENIED KEY_FORBIDDEN');
  });

  it('administers nothing', async () => {
    const services = /^securityhub\.v1\.(?!SecurityHub|AuthenticationService)/;
    const managing = rows.filter(({ rpc, anonymous }) => services.test(rpc) && anonymous !== 'OK');
    const allowed = managing.filter(({ workload }) => workload.startsWith('OK')).map(({ rpc }) => rpc);
    // A decision like the others, which its entry lists, and its own certificate again.
    expect(allowed).toEqual([
      'securityhub.v1.AuthorizationService/EnforceDataAccess',
      'securityhub.v1.CertificateService/RenewServiceCert',
    ]);
  });

  it('gets a certificate for itself, and none for payments', async () => {
    const itself = await world.call('workload', `${HUB}/IssueServiceCert`, { generateKey: {} });
    expect(itself.answer['spiffeId']).toBe('spiffe://dev.internal/ns/default/sa/billing');
    const payments = { service: 'payments', generateKey: {} };
    for (const wish of [payments, { ...payments, namespace: NAMESPACE }, { ...payments, tenantId: 'dev', namespace: NAMESPACE }])
      expect(said(await world.call('workload', `${HUB}/IssueServiceCert`, wish))).toBe('PERMISSION_DENIED PERMISSION_MISSING');
  });

  it('may do nothing once its entry is deleted, for its certificates are revoked', async () => {
    await world.make('securityhub.v1.WorkloadService/PutWorkload', {
      workload: { namespace: NAMESPACE, name: 'gone', calls: ['ValidateToken'] },
    });
    const gone = world.mtls(await world.make(`${HUB}/IssueServiceCert`, { namespace: NAMESPACE, service: 'gone', generateKey: {} }));
    expect(said(await gone.call(`${HUB}/ValidateToken`, { token: 'x' }))).toBe('OK TOKEN_MALFORMED');
    await world.make('securityhub.v1.WorkloadService/DeleteWorkload', { namespace: NAMESPACE, name: 'gone' });
    expect(said(await gone.call(`${HUB}/ValidateToken`, { token: 'x' }))).toBe('UNAUTHENTICATED TOKEN_REVOKED');
  });
});
