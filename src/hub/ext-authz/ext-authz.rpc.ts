// Window of Envoy's ext_authz: the one call of envoy.service.auth.v3.Authorization.
import { seconds } from '../../base/time.ts';
import { AuthorizationService } from '../../gen/envoy/service/auth/v3/external_auth.ts';
import { type Rows, type Service, service } from '../../server/rpc/define.ts';

export const extAuthzService = (check: Rows<typeof AuthorizationService>['check']['handle']): Service =>
  service(AuthorizationService, {
    check: { access: 'known', audit: 'sampled', limit: 'check', deadline: seconds(5), idempotency: 'safe', handle: check },
  });
