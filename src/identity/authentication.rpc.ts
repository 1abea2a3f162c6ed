// Window of login and logout.
import { timestampOf } from '../base/proto-time.ts';
import { seconds } from '../base/time.ts';
import { AuthenticationServiceService, type LoginResponse, type LogoutResponse } from '../gen/securityhub/v1/authentication.ts';
import { type Service, service } from '../server/rpc/define.ts';
import type { Identity } from './identity.ts';

export const authenticationService = (identity: Pick<Identity, 'login' | 'logout'>): Service =>
  service(AuthenticationServiceService, {
    login: {
      access: 'anonymous',
      audit: 'in-transaction',
      limit: 'login',
      deadline: seconds(10),
      idempotency: 'none',
      async handle(request, call): Promise<LoginResponse> {
        const { tenantId, username, password, scopes, device, context, binding } = request;
        const tokens = await identity.login(
          {
            tenantId,
            username,
            password,
            scopes,
            device: device ?? null,
            context: { ipAddress: context?.ipAddress ?? '', userAgent: context?.userAgent ?? '' },
            bind: { binding, context },
          },
          call,
        );
        const { accessToken, refreshToken, tokenType, expiresIn, expiresAt, issuedAt, scope, sessionId } = tokens;
        return {
          tokens: {
            accessToken,
            refreshToken,
            tokenType,
            expiresIn,
            expiresAt: timestampOf(expiresAt),
            issuedAt: timestampOf(issuedAt),
            scope,
            sessionId,
          },
        };
      },
    },
    logout: {
      access: 'anonymous',
      audit: 'in-transaction',
      limit: 'vital',
      budget: 'revoke',
      deadline: seconds(5),
      idempotency: 'idempotent',
      async handle(request, call): Promise<LogoutResponse> {
        const { seq, effectiveBy } = await identity.logout(request.refreshToken, call);
        return { seq, effectiveBy: timestampOf(effectiveBy) };
      },
    },
  });
