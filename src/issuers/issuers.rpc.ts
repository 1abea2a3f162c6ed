// Window of the trusted issuers: TrustedIssuerService.
import type { Call, MaybePromise } from '../base/call.ts';
import { tenantOf } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { durationOf, millisOf, timestampOf } from '../base/proto-time.ts';
import { seconds } from '../base/time.ts';
import {
  type ClaimMapping as MappingMessage,
  type ListTrustedIssuersResponse,
  type PutTrustedIssuerResponse,
  type TrustedIssuer as Printed,
  TrustedIssuerServiceService,
} from '../gen/securityhub/v1/trusted_issuer.ts';
import { type Service, service } from '../server/rpc/define.ts';
import type { IssuersDoor, Listed, NewIssuer, SubjectKind } from './issuers.ts';

const NO_MAPPING: MappingMessage = {
  subjectKind: '',
  subjectClaim: '',
  rolesClaim: '',
  roles: {},
  defaultRoles: [],
  scopeClaim: '',
  clientClaim: '',
  sessionClaim: '',
  requiredClaims: {},
  mfaValues: [],
};

const given = (message: Printed, tenantId: string): NewIssuer => {
  const { name, issuer, jwksUri, discoveryUri, jwks, caCertificates, algorithms, audiences, maxAge } = message;
  const mapping = message.mapping ?? NO_MAPPING;
  // The proto names the kinds there are.
  const subjectKind = (mapping.subjectKind === '' ? 'foreign_user' : mapping.subjectKind) as SubjectKind;
  return {
    tenantId,
    name,
    issuer,
    jwksUri,
    discoveryUri,
    jwks,
    caCertificates,
    algorithms,
    audiences,
    mapping: { ...mapping, subjectKind },
    maxAge: Math.floor(millisOf(maxAge)),
  };
};

const printed = ({ issuer: { maxAge, mapping, createdAt, updatedAt, ...issuer }, keys }: Listed['items'][number]): Printed => ({
  ...issuer,
  algorithms: [...issuer.algorithms],
  audiences: [...issuer.audiences],
  mapping: {
    ...mapping,
    roles: { ...mapping.roles },
    defaultRoles: [...mapping.defaultRoles],
    requiredClaims: { ...mapping.requiredClaims },
    mfaValues: [...mapping.mfaValues],
  },
  maxAge: maxAge === 0 ? undefined : durationOf(maxAge),
  keys: {
    kids: [...keys.kids],
    fetchedAt: keys.fetchedAt === null ? undefined : timestampOf(keys.fetchedAt),
    problem: keys.problem,
  },
  createdAt: timestampOf(createdAt),
  updatedAt: timestampOf(updatedAt),
});

const WRITE = { permission: 'issuers:write', across: true } as const;
const READ = { permission: 'issuers:read', across: true } as const;
const COLUMNS = { limit: 'manage', deadline: seconds(10) } as const;

type Holds = (call: Call, permission: string) => MaybePromise<boolean>;

export const trustedIssuerService = (issuers: Pick<IssuersDoor, 'put' | 'list' | 'delete'>, holds: Holds): Service =>
  service(TrustedIssuerServiceService, {
    putTrustedIssuer: {
      ...COLUMNS,
      access: WRITE,
      audit: 'in-transaction',
      inPerson: true,
      idempotency: 'idempotent',
      async handle(request, call): Promise<PutTrustedIssuerResponse> {
        if (request.issuer === undefined) throw badField('issuer', 'is needed');
        // It stands inside the entry, where the access layer does not look: another tenant needs rights over the installation.
        const tenantId = tenantOf(call.caller, request.issuer.tenantId, await holds(call, 'installation:tenants'));
        const { revision, ...stored } = await issuers.put(given(request.issuer, tenantId), call);
        return { issuer: printed(stored), revision };
      },
    },
    listTrustedIssuers: {
      ...COLUMNS,
      access: READ,
      audit: 'none',
      idempotency: 'safe',
      async handle(request, call): Promise<ListTrustedIssuersResponse> {
        const { items, next } = await issuers.list({ ...request, tenantId: tenantOf(call.caller, request.tenantId, true) });
        return { issuers: items.map(printed), nextPageToken: next };
      },
    },
    deleteTrustedIssuer: {
      ...COLUMNS,
      access: WRITE,
      audit: 'in-transaction',
      idempotency: 'idempotent',
      handle: ({ tenantId, name }, call) => issuers.delete(tenantOf(call.caller, tenantId, true), name, call),
    },
  });
