// What is left of a workload that was deleted: nothing that proves anything. Through the whole hub.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Hub, openHub } from '../config/app.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';

let database: FreshDatabase;
let hub: Hub;

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri, CERT_ALLOW_GENERATED_KEYS: 'true' });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const reasonOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'OK',
    ({ reason }: { readonly reason: string }) => reason,
  );
const name = { namespace: 'default', name: 'leaver' };
const issue = async (more: JsonObject = {}, credential?: string) =>
  hub.ask('SecurityHub/IssueServiceCert', { namespace: 'default', service: 'leaver', generateKey: {}, ...more }, credential);
const validate = async ({ certificatePem }: JsonObject): Promise<JsonObject> =>
  hub.ask('SecurityHub/ValidateToken', { certificateChain: certificatePem ?? '' });

it('its certificates and join tokens end with it, and those of its namesake begin anew', async () => {
  await hub.ask('WorkloadService/PutWorkload', { workload: name });
  const first = await issue();
  const { joinToken } = await hub.ask('CertificateService/CreateJoinToken', { namespace: 'default', service: 'leaver' });
  expect(await validate(first)).toMatchObject({ valid: true });
  await hub.ask('WorkloadService/DeleteWorkload', name);
  expect(await validate(first)).toMatchObject({ valid: false, reasons: [{ code: 'TOKEN_REVOKED' }] });
  expect(await reasonOf(issue({ attestation: { joinToken: joinToken ?? '' } }, ''))).toBe('ATTESTATION_INVALID');
  await hub.ask('WorkloadService/PutWorkload', { workload: name });
  expect(await validate(first)).toMatchObject({ valid: false });
  expect(await validate(await issue())).toMatchObject({ valid: true });
});

describe('what it was given', () => {
  const service = { type: 'service', id: 'default/leaver' };
  const check = async (action: string, type: string): Promise<unknown> => {
    const asked = { subject: { ...service }, action, resource: { type } };
    return (await hub.ask('SecurityHub/CheckPermission', asked)).reasonCode;
  };
  const renew = async (): Promise<void> => {
    await hub.ask('WorkloadService/DeleteWorkload', name);
    await hub.ask('WorkloadService/PutWorkload', { workload: name });
  };

  it('is not for the next of its name', async () => {
    await hub.ask('AuthorizationService/AssignRole', { subject: service, role: 'viewer' });
    expect(await check('read', 'conversations')).toBe('ALLOWED');
    await renew();
    expect(await check('read', 'conversations')).toBe('DENIED_DEFAULT');
    expect(await hub.ask('AuthorizationService/ListAssignments', { subject: service })).toMatchObject({ assignments: [] });
  });

  it('but for what was denied: deleting and registering anew sheds nothing', async () => {
    await hub.ask('AuthorizationService/PutGrant', { subject: service, permission: 'conversations:read', effect: 'EFFECT_DENY' });
    await renew();
    expect(await check('read', 'conversations')).toBe('DENIED_EXPLICIT');
  });

  it('is not for the next either where a replica that had not heard gave it after the end', async () => {
    await hub.ask('WorkloadService/DeleteWorkload', name);
    await database.sql(`INSERT INTO role_assignment (tenant_id, subject_type, subject_id, role, created_at, assigned_by)
      VALUES ('dev', 'service', 'default/leaver', 'admin', now(), 'user:late')`);
    await hub.ask('WorkloadService/PutWorkload', { workload: name });
    expect(await check('read', 'audit')).toBe('DENIED_DEFAULT');
  });

  it('keeps it from being deleted by whoever could not take it', async () => {
    await hub.ask('AuthorizationService/PutRole', { role: { name: 'keeper', permissions: ['workloads:write'] } });
    const login = { tenantId: 'dev', username: 'keeper', password: 'correct-horse-battery-9' };
    await hub.ask('UserService/CreateUser', { ...login, roles: ['keeper'] });
    const { tokens } = await hub.ask('AuthenticationService/Login', login, '');
    const keeper = (tokens as { accessToken: string }).accessToken;
    await hub.ask('AuthorizationService/AssignRole', { subject: service, role: 'admin' });
    expect(await reasonOf(hub.ask('WorkloadService/DeleteWorkload', name, keeper))).toBe('ESCALATION');
    expect(await hub.ask('WorkloadService/GetWorkload', name)).toMatchObject({ workload: { name: 'leaver' } });
    await hub.ask('AuthorizationService/UnassignRole', { subject: service, role: 'admin' });
    expect(await reasonOf(hub.ask('WorkloadService/DeleteWorkload', name, keeper))).toBe('OK');
  });

  it('is told in the audit log', async () => {
    await hub.ask('WorkloadService/PutWorkload', { workload: name });
    await hub.ask('AuthorizationService/AssignRole', { subject: service, role: 'member' });
    await hub.ask('WorkloadService/DeleteWorkload', name);
    const { events } = await hub.ask('AuditService/SearchEvents', { eventTypes: ['subject.rights_removed'], pageSize: 1 });
    expect(events).toMatchObject([{ resource: 'service:default/leaver', details: { roles: ['member'], denies_kept: 1 } }]);
  });
});
