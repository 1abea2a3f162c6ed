// The access layer checks a request's own tenant_id. One that stands deeper must be checked by whoever reads it: here is the list.
import { describe, expect, it } from '@jest/globals';
import type { DescMessage } from '@bufbuild/protobuf';
import { descriptors } from '../../src/server/descriptors/registry.ts';

/** Paths of tenant_id below the request itself. */
const below = (message: DescMessage, path: string, seen: readonly string[]): readonly string[] =>
  message.fields.flatMap((field) => {
    if (field.message === undefined || seen.includes(field.message.typeName) || !field.message.typeName.startsWith('securityhub.'))
      return [];
    const at = `${path}.${field.name}`;
    const own = field.message.fields.some(({ name }) => name === 'tenant_id') ? [`${at}.tenant_id`] : [];
    return [...own, ...below(field.message, at, [...seen, field.message.typeName])];
  });

/** Each is refused, or answered as unknown, by the file behind it. */
const CHECKED = [
  // hub/principal.ts: another tenant's subject is an unknown one; hub/check-permission-question.ts: another tenant's resource is denied.
  'CheckPermission.subject.tenant_id',
  'EnforceDataAccess.subject.tenant_id',
  'ListResources.subject.tenant_id',
  'CheckPermission.resource.tenant_id',
  'BatchCheck.subject.tenant_id',
  'BatchCheck.checks.subject.tenant_id',
  'BatchCheck.checks.resource.tenant_id',
  // encryption/encrypt.ts and decrypt.ts: tenantOf.
  'Encrypt.context.tenant_id',
  'Decrypt.context.tenant_id',
  // identity/workloads.rpc.ts: tenantOf with installation:tenants asked.
  'PutWorkload.workload.tenant_id',
  // issuers/issuers.rpc.ts: likewise.
  'PutTrustedIssuer.issuer.tenant_id',
  // authorization/resource/resource.rpc.ts: the request's own, or refused.
  'PutResources.resources.tenant_id',
  // authorization/evaluate.ts: nobody can do anything with another tenant's resource.
  'ListSubjects.resource.tenant_id',
];

describe('a tenant_id below the request', () => {
  it('stands only where somebody checks it', () => {
    const found = [...descriptors().registry].flatMap((type) =>
      type.kind === 'service' && type.typeName.startsWith('securityhub.')
        ? type.methods.flatMap((method) => below(method.input, method.name, [method.input.typeName]))
        : [],
    );
    expect(found.toSorted()).toEqual(CHECKED.toSorted());
  });
});
