// Window of the policies: rows of AuthorizationService.
import { type Caller, tenantOf, type TenantId } from '../../base/caller.ts';
import type { Call, MaybePromise } from '../../base/call.ts';
import { Fault } from '../../base/fault.ts';
import { type Pager, pageSize } from '../../base/page.ts';
import { timestampOf } from '../../base/proto-time.ts';
import { seconds } from '../../base/time.ts';
import type { AuthorizationServiceService } from '../../gen/securityhub/v1/authorization.ts';
import type * as proto from '../../gen/securityhub/v1/policy.ts';
import type { Access, Rows } from '../../server/rpc/define.ts';
import { INSTALLATION } from './document.ts';
import type { Policies, SetVersion, StoredPolicy } from './policy.ts';

type Named =
  | 'validatePolicies'
  | 'applyPolicies'
  | 'activatePolicies'
  | 'rollbackPolicies'
  | 'listPolicies'
  | 'getPolicy'
  | 'listPolicyVersions';
export type PolicyRows = Pick<Rows<typeof AuthorizationServiceService>, Named>;

const printPolicy = (policy: StoredPolicy, content: boolean): proto.Policy => ({
  ...policy,
  content: content ? policy.content : '',
  createdAt: timestampOf(policy.createdAt),
});

const printSet = (set: SetVersion, changes: boolean): proto.PolicySetVersion => ({
  ...set,
  changes: changes ? set.changes.map((change) => ({ ...change, reasons: [...change.reasons] })) : [],
  createdAt: timestampOf(set.createdAt),
  activatedAt: set.activatedAt === null ? undefined : timestampOf(set.activatedAt),
});

/** Reading and checking 10,000 documents takes seconds, in slices. */
const PATIENCE = seconds(30);

const changing = {
  access: { permission: 'policies:write', across: true } satisfies Access,
  audit: 'in-transaction',
  limit: 'manage',
  deadline: PATIENCE,
  idempotency: 'idempotent',
} as const;

const reading = {
  access: { permission: 'policies:read', across: true } satisfies Access,
  audit: 'none',
  limit: 'manage',
  deadline: PATIENCE,
  idempotency: 'safe',
} as const;

export interface PolicyWindow {
  readonly policies: Policies;
  readonly pager: Pager;
  readonly holds: (caller: Caller, permission: string) => MaybePromise<boolean>;
}

const OPERATOR = 'installation:tenants';

export const policyRows = ({ policies, pager, holds }: PolicyWindow): PolicyRows => {
  /** Whose set the request is about: the access layer has decided whether the caller may name that tenant. */
  const setOf = async (request: { readonly tenantId: string; readonly installation: boolean }, call: Call): Promise<TenantId> => {
    const tenantId = tenantOf(call.caller, request.tenantId, true);
    if (!request.installation) return tenantId;
    if (!(await holds(call.caller, OPERATOR)))
      throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `the installation's policies need the permission ${OPERATOR}`, {
        meta: { permission: OPERATOR },
      });
    return INSTALLATION;
  };

  return {
    validatePolicies: {
      ...reading,
      async handle(request, call) {
        const { sources, deleteNames: deleted, prune } = request;
        const { problems, changes, ...rest } = await policies.validate(await setOf(request, call), { sources, deleted, prune }, call);
        return {
          valid: problems.length === 0,
          problems: problems.map(({ next, ...problem }) => ({ ...problem, nextStep: next })),
          changes: changes.map((change) => ({ ...change, reasons: [...change.reasons] })),
          ...rest,
        };
      },
    },
    applyPolicies: {
      ...changing,
      async handle(request, call) {
        const {
          sources,
          deleteNames: deleted,
          prune,
          expectedVersion = null,
          dryRun,
          draft,
          acknowledgeRisk: acknowledged,
          comment,
        } = request;
        const asked = { sources, deleted, prune, expectedVersion, dryRun, draft, acknowledged, comment };
        const { version, ...rest } = await policies.apply(await setOf(request, call), asked, call);
        return { version: printSet(version, true), ...rest };
      },
    },
    activatePolicies: {
      ...changing,
      async handle(request, call) {
        const tenantId = await setOf(request, call);
        const { version, revision } = request.discard
          ? await policies.discard(tenantId, request.version, call)
          : await policies.activate(tenantId, request.version, request.acknowledgeRisk, call);
        return { version: printSet(version, true), revision };
      },
    },
    rollbackPolicies: {
      ...changing,
      async handle(request, call) {
        const { expectedVersion = null, dryRun, acknowledgeRisk: acknowledged, comment } = request;
        const options = { expectedVersion, dryRun, acknowledged, comment };
        const { version, revision } = await policies.rollback(await setOf(request, call), request.version, options, call);
        return { version: printSet(version, true), revision };
      },
    },
    listPolicies: {
      ...reading,
      async handle(request, call) {
        const tenantId = await setOf(request, call);
        const { kind, category } = request;
        const query = ['policies', tenantId, kind, category, request.version];
        const after = pager.open(query, request.pageToken);
        const {
          items,
          after: next,
          version,
        } = await policies.list(tenantId, request.version, { kind, category }, after, pageSize(request.pageSize));
        return {
          policies: items.map((policy) => printPolicy(policy, false)),
          nextPageToken: next === '' ? '' : pager.seal(query, next),
          version,
        };
      },
    },
    getPolicy: {
      ...reading,
      async handle(request, call) {
        return { policy: printPolicy(await policies.policy(await setOf(request, call), request.name, request.version), true) };
      },
    },
    listPolicyVersions: {
      ...reading,
      async handle(request, call) {
        const tenantId = await setOf(request, call);
        const query = ['policy_versions', tenantId];
        const after = pager.open(query, request.pageToken);
        const { items, after: next, active } = await policies.versions(tenantId, request.version, after, pageSize(request.pageSize));
        return {
          versions: items.map((set) => printSet(set, request.version !== 0)),
          nextPageToken: next === '' ? '' : pager.seal(query, next),
          activeVersion: active,
        };
      },
    },
  };
};
