// Window of the tokens capability: TokenService.
import { known, type KnownCaller, tenantOf } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { millisOf, timestampOf } from '../base/proto-time.ts';
import { seconds } from '../base/time.ts';
import {
  type RevokeTokenResponse,
  type Session as SessionMessage,
  TokenServiceService,
  type Tokens as TokensMessage,
} from '../gen/securityhub/v1/token.ts';
import { type Service, service } from '../server/rpc/define.ts';
import { jwkMessage } from './keys/jwk.rpc.ts';
import { keyRows } from './keys/keys.rpc.ts';
import type { RevocationScope, Revoked, Session, Tokens, TokensDoor } from './tokens.ts';
import { watchRows } from './watch/watch.rpc.ts';

/** How a pair is printed; identity's login prints it alike. */
const tokensMessage = (tokens: Tokens): TokensMessage => ({
  accessToken: tokens.accessToken,
  refreshToken: tokens.refreshToken,
  tokenType: tokens.tokenType,
  expiresIn: tokens.expiresIn,
  expiresAt: timestampOf(tokens.expiresAt),
  issuedAt: timestampOf(tokens.issuedAt),
  scope: tokens.scope,
  sessionId: tokens.sessionId,
});

const revokedMessage = (revoked: Revoked): RevokeTokenResponse => ({
  seq: revoked.seq,
  effectiveBy: timestampOf(revoked.effectiveBy),
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
  createdAt: timestampOf(session.createdAt),
  lastActivityAt: timestampOf(session.lastActivityAt),
  idleExpiresAt: timestampOf(session.idleExpiresAt),
  expiresAt: timestampOf(session.expiresAt),
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

const REVOKING = {
  access: 'known',
  audit: 'in-transaction',
  limit: 'vital',
  budget: 'revoke',
  deadline: seconds(35),
  idempotency: 'idempotent',
} as const;
const READING = { access: 'known', audit: 'none', limit: 'manage', deadline: seconds(10), idempotency: 'safe' } as const;

/** The user asked about; the caller itself where none is named. */
const userOf = (caller: KnownCaller, asked: string): string => {
  const userId = asked === '' && caller.kind === 'user' ? caller.userId : asked;
  if (userId === '') throw badField('user_id', 'is needed: this caller is not a user');
  return userId;
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
        tokens: tokensMessage(await tokens.exchange({ ...request, ttl: millisOf(request.ttl) }, call)),
      }),
    },
    revokeToken: {
      ...REVOKING,
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
              wait: millisOf(request.wait),
            },
            call,
          ),
        ),
    },
    revokeSession: {
      ...REVOKING,
      handle: async (request, call) => {
        const tenantId = tenantOf(call.caller, request.tenantId);
        const own = call.caller.kind === 'user' ? call.caller.sessionId : '';
        const sessionId = request.sessionId === '' ? own : request.sessionId;
        if (sessionId === '') throw badField('session_id', 'is needed: this caller has no session of its own');
        return revokedMessage(await tokens.revokeSession(tenantId, sessionId, request.reason, millisOf(request.wait), call));
      },
    },
    revokeUser: {
      ...REVOKING,
      handle: async (request, call) => {
        const caller = known(call.caller);
        const tenantId = tenantOf(caller, request.tenantId);
        const userId = userOf(caller, request.userId);
        return revokedMessage(await tokens.revokeUser(tenantId, userId, request.reason, millisOf(request.wait), call));
      },
    },
    revokeClient: {
      ...REVOKING,
      access: { permission: 'token:revoke' },
      handle: async ({ tenantId, clientId, reason, wait }, call) =>
        revokedMessage(await tokens.revokeClient(tenantOf(call.caller, tenantId), clientId, reason, millisOf(wait), call)),
    },
    listSessions: {
      ...READING,
      handle: async ({ pageSize, pageToken, ...request }, call) => {
        const caller = known(call.caller);
        const tenantId = tenantOf(caller, request.tenantId);
        const userId = userOf(caller, request.userId);
        const { items, next } = await tokens.listSessions({ tenantId, userId, pageSize, pageToken }, call);
        const current = caller.kind === 'user' ? caller.sessionId : '';
        return { sessions: items.map((session) => sessionMessage(session, current)), nextPageToken: next };
      },
    },
    getSessionStatistics: {
      ...READING,
      handle: async (request, call) => {
        const { active, countedAt, ...rest } = await tokens.sessionStatistics(tenantOf(call.caller, request.tenantId), call);
        return { ...rest, activeSessions: active, countedAt: timestampOf(countedAt) };
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
