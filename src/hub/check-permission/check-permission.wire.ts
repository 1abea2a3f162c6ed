// Joins the decisions: who is asked about, on which rights, as of which news.
import type { Authorization } from '../../authorization/authorization.ts';
import type { Millis } from '../../base/time.ts';
import type { Platform } from '../../server/platform.ts';
import { createBatchCheck } from '../batch-check/batch-check.ts';
import { createDecisionIds } from './id.ts';
import { createCheckPermission } from './check-permission.ts';
import { createEnforceDataAccess } from '../enforce-data-access.ts';
import { createListResources } from '../list-resources.ts';
import { createBarred, createPrincipals, type PrincipalPorts } from '../principal/principal.ts';
import { createLiveRights } from '../principal/rights.ts';
import type { StandingOf } from '../principal/standing.ts';

export interface DecisionWiring {
  readonly authorization: Authorization;
  readonly standing: StandingOf;
  readonly verify: PrincipalPorts['verify'];
  readonly tenant: PrincipalPorts['tenant'];
  readonly userNamed: PrincipalPorts['userNamed'];
  readonly decisionTtl: Millis;
}

export const wireDecisions = (platform: Pick<Platform, 'feed' | 'random' | 'metrics' | 'pager'>, wiring: DecisionWiring) => {
  const { authorization, standing, verify, tenant, userNamed, decisionTtl } = wiring;
  const count = (result: string) =>
    platform.metrics.counter('securityhub_permission_checks_total', 'Decisions of CheckPermission and BatchCheck.', { result });
  const [allows, denies] = [count('allowed'), count('denied')];
  const ports = {
    authorization,
    principals: createPrincipals({ authorization, verify, tenant, standing, userNamed }),
    feed: platform.feed,
    decisionIds: createDecisionIds(platform.random),
    decisionTtl,
    counted: (allowed: boolean, by: number) => (allowed ? allows : denies).inc(by),
  };
  return {
    checkPermission: createCheckPermission(ports),
    batchCheck: createBatchCheck(ports),
    enforceDataAccess: createEnforceDataAccess(ports),
    listResources: createListResources({ ...ports, pager: platform.pager }),
    barred: createBarred({ tenant, standing }),
    /** ValidateToken's port `rights`. */
    liveRights: createLiveRights({ authorization, standing }),
  };
};
