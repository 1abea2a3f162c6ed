// Live rights of any subject, for ValidateToken: a user's own, a service's with its entry, an API key's within its owner's.
import type { Authorization, LimitedRights, Subject } from '../../authorization/authorization.ts';
import type { MaybePromise } from '../../base/call.ts';
import type { TenantId } from '../../base/caller.ts';
import { andThen } from '../../base/maybe.ts';
import type { Standing } from './principal.ts';

export interface LiveRightsPorts {
  readonly authorization: Pick<Authorization, 'rights' | 'limited'>;
  readonly standing: (tenantId: TenantId, subject: Subject) => MaybePromise<Standing | null>;
}

const NOTHING: LimitedRights = {
  roles: [],
  permissions: [],
  holds: () => false,
  denies: () => false,
  validUntil: null,
  revision: 0,
};

/** Somebody unknown holds nothing. The same object as long as nothing changed. */
export const createLiveRights =
  ({ authorization, standing }: LiveRightsPorts) =>
  (tenantId: TenantId, subject: Subject): MaybePromise<LimitedRights> =>
    subject.type === 'user'
      ? authorization.rights(tenantId, subject)
      : andThen(standing(tenantId, subject), (found) =>
          found === null || !found.active
            ? NOTHING
            : andThen(authorization.rights(tenantId, subject.roles === undefined ? found.holder : subject), (rights) =>
                authorization.limited(rights, found.limits),
              ),
        );
