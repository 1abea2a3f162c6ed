// Window of the tokens capability: TokenService.
import { known, tenantOf } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { type Instant, type Millis, seconds } from '../base/time.ts';
import type { Duration } from '../gen/google/protobuf/duration.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import {
  type RevokeTokenResponse,
  type Session as SessionMessage,
  TokenServiceService,
  type Tokens as TokensMessage,
} from '../gen/securityhub/v1/token.ts';
import { type Service, service } from '../server/rpc/define.ts';
import { jwkMessage } from './jwk.rpc.ts';
import { keyRows } from './keys.rpc.ts';
import type { RevocationScope, Revoked, Session, Tokens, TokensDoor } from './tokens.ts';
import { watchRows } from './watch.rpc.ts';

const timestamp = (at: Instant): Timestamp => ({ seconds: Math.floor(at / 1000), nanos: (at % 1000) * 1_000_000 });
const millis = (duration: Duration | undefined): Millis => (duration === undefined ? 0 : duration.seconds * 1000 + duration.nanos / 1e6);

/** How a pair is printed; identity's login prints it alike. */
const tokensMessage = (tokens: Tokens): TokensMessage => ({
  accessToken: tokens.accessToken,
  refreshToken: tokens.refreshToken,
  tokenType: tokens.tokenType,
  expiresIn: tokens.expiresIn,
  expiresAt: timestamp(tokens.expiresAt),
  issuedAt: timestamp(tokens.issuedAt),
  scope: tokens.scope,
  sessionId: tokens.sessionId,
});

const revokedMessage = (revoked: Revoked): RevokeTokenResponse => ({
  seq: revoked.seq,
  effectiveBy: timestamp(revoked.effectiveBy),
  replicasAcknowledged: revoked.replicasAcknowledged,
  replicasLive: revoked.replicasLive,
});

/** Of the device's fingerprint nothing is shown. */
const sessionMessage = (session: Session, current: string): SessionMessage => ({
  sessionId: session.sessionId,
  tenantId: session.tenantId,
  userId: session.userId,
  clientId: session.clientId,
  authMethod: session.authMethod,
  mfaVerified: session.mfaVerified,
  device: session.device === null ? undefined : { ...session.device, fingerprint: '' },
  ipAddress: session.ipAddress,
  userAgent: session.userAgent,
  createdAt: timestamp(session.createdAt),
  lastActivityAt: timestamp(session.lastActivityAt),
  idleExpiresAt: timestamp(session.idleExpiresAt),
  expiresAt: timestamp(session.expiresAt),
  confirmation:
    session.confirmation === null
      ? undefined
      : {
          x5tS256: session.confirmation.x5tS256,
          spkiSha256: session.confirmation.spkiSha256,
          jkt: session.confirmation.jkt,
          spiffeId: session.confirmation.spiffeId,
        },
  current: session.sessionId === current,
});

const SCOPES: Readonly<Record<string, RevocationScope | null>> = { '': null, token: 'token', family: 'family', session: 'session' };

const scopeOf = (text: string): RevocationScope | null => {
  const scope = Object.hasOwn(SCOPES, text) ? SCOPES[text] : undefined;
  if (scope === undefined) throw badField('scope', 'must be token, family or session, or empty for its family and session');
  return scope;
};

export const tokenService = (tokens: TokensDoor): Service =>
  service(TokenServiceService, {
    refreshToken: {
      access: 'anonymous',
      audit: 'in-transaction',
      limit: 'verdict',
      deadline: seconds(5),
      idempotency: 'idempotent',
      handle: async (request, call) => ({
        tokens: tokensMessage(await tokens.refresh(request.refreshToken, request.device ?? null, call, request)),
      }),
    },
    exchangeToken: {
      access: 'known',
      audit: 'in-transaction',
      limit: 'verdict',
      deadline: seconds(5),
      idempotency: 'none',
      handle: async (request, call) => ({
        tokens: tokensMessage(await tokens.exchange({ ...request, ttl: millis(request.ttl) }, call)),
      }),
    },
    revokeToken: {
      access: 'known',
      audit: 'in-transaction',
      limit: 'vital',
      budget: 'revoke',
      deadline: seconds(35),
      idempotency: 'idempotent',
      handle: async (request, call) =>
        revokedMessage(
          await tokens.revoke(
            {
              tenantId: request.tenantId,
              token: request.token,
              tokenId: request.tokenId,
              scope: scopeOf(request.scope),
              reason: request.reason,
              revokedBy: request.revokedBy,
              wait: millis(request.wait),
            },
            call,
          ),
        ),
    },
    revokeSession: {
      access: 'known',
      audit: 'in-transaction',
      limit: 'vital',
      budget: 'revoke',
      deadline: seconds(35),
      idempotency: 'idempotent',
      handle: async (request, call) => {
        const tenantId = tenantOf(call.caller, request.tenantId);
        const own = call.caller.kind === 'user' ? call.caller.sessionId : '';
        const sessionId = request.sessionId === '' ? own : request.sessionId;
        if (sessionId === '') throw badField('session_id', 'is needed: this caller has no session of its own');
        return revokedMessage(await tokens.revokeSession(tenantId, sessionId, request.reason, millis(request.wait), call));
      },
    },
    revokeUser: {
      access: 'known',
      audit: 'in-transaction',
      limit: 'vital',
      budget: 'revoke',
      deadline: seconds(35),
      idempotency: 'idempotent',
      handle: async (request, call) => {
        const caller = known(call.caller);
        const tenantId = tenantOf(caller, request.tenantId);
        const userId = request.userId === '' && caller.kind === 'user' ? caller.userId : request.userId;
        if (userId === '') throw badField('user_id', 'is needed: this caller is not a user');
        return revokedMessage(await tokens.revokeUser(tenantId, userId, request.reason, millis(request.wait), call));
      },
    },
    revokeClient: {
      access: { permission: 'token:revoke' },
      audit: 'in-transaction',
      limit: 'vital',
      budget: 'revoke',
      deadline: seconds(35),
      idempotency: 'idempotent',
      handle: async ({ tenantId, clientId, reason, wait }, call) =>
        revokedMessage(await tokens.revokeClient(tenantOf(call.caller, tenantId), clientId, reason, millis(wait), call)),
    },
    listSessions: {
      access: 'known',
      audit: 'none',
      limit: 'manage',
      deadline: seconds(10),
      idempotency: 'safe',
      handle: async ({ pageSize, pageToken, ...request }, call) => {
        const caller = known(call.caller);
        const tenantId = tenantOf(caller, request.tenantId);
        const userId = request.userId === '' && caller.kind === 'user' ? caller.userId : request.userId;
        if (userId === '') throw badField('user_id', 'is needed: this caller is not a user');
        const { items, next } = await tokens.listSessions({ tenantId, userId, pageSize, pageToken }, call);
        const current = caller.kind === 'user' ? caller.sessionId : '';
        return { sessions: items.map((session) => sessionMessage(session, current)), nextPageToken: next };
      },
    },
    getSessionStatistics: {
      access: 'known',
      audit: 'none',
      limit: 'manage',
      deadline: seconds(10),
      idempotency: 'safe',
      handle: async (request, call) => {
        const { active, users, mfaVerified, bound, byAuthMethod, byDeviceType } = await tokens.sessionStatistics(
          tenantOf(call.caller, request.tenantId),
          call,
        );
        return { activeSessions: active, users, mfaVerified, bound, byAuthMethod, byDeviceType };
      },
    },
    getJwks: {
      access: 'anonymous',
      audit: 'none',
      limit: 'vital',
      deadline: seconds(5),
      idempotency: 'safe',
      handle: () => {
        const jwks = tokens.jwks();
        return { jwksJson: JSON.stringify(jwks), keys: jwks.keys.map(jwkMessage) };
      },
    },
    ...watchRows(tokens),
    ...keyRows(tokens),
  });
