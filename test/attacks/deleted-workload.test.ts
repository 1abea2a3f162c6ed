// What is left of a workload that was deleted: nothing that proves anything. Through the whole hub.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
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
