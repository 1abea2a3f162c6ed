// Window of data access: a row of AuthorizationService, answered by the hub, which knows principals.
import { seconds } from '../../base/time.ts';
import type * as proto from '../../gen/securityhub/v1/authorization.ts';
import type { Rows } from '../../server/rpc/define.ts';

export type AccessRows = Pick<Rows<typeof proto.AuthorizationServiceService>, 'enforceDataAccess'>;
export type EnforceDataAccess = AccessRows['enforceDataAccess']['handle'];

/** Asked once a query, and every answer is on record before it is given. */
export const accessRows = (handle: EnforceDataAccess): AccessRows => ({
  enforceDataAccess: { access: 'known', audit: 'required', limit: 'check', deadline: seconds(5), idempotency: 'idempotent', handle },
});
