// Refreshing: one token, one successor, whoever asks how often. Read from top to bottom: read, refuse early, decide in the database, sign.
import type { Call, MaybePromise } from '../base/call.ts';
import { isUser, subjectOf, type TenantId } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import type { Feed } from '../storage/storage.ts';
import { type BindDeps, confirmationFor, type PeerContext, shownBy } from './bind.ts';
import { createDecide, type DecideDeps, ENDED } from './decide.ts';
import type { DenyList } from './deny-list.ts';
import { type Device, fingerprintOf, type Presented } from './family.ts';
import { claimsOf, issue, type Tokens } from './issue.ts';
import { hashOf, printRefreshToken, readRefreshToken, type RefreshToken, successorOf } from './refresh-token.ts';

/** A tenant or a user as it stands now; sessions whose login saw a smaller head than `watermark` are over. */
export interface Standing {
  readonly status: string;
  readonly watermark: number;
}

/** How a request asks for its tokens to be bound. */
export interface BindingAsked {
  /** As `confirmationFor` knows it. */
  readonly binding: string;
  readonly context: PeerContext | undefined;
}

export interface RefreshDeps extends DecideDeps, BindDeps {
  readonly denyList: DenyList;
  readonly feed: Pick<Feed, 'cursor'>;
  user(tenantId: TenantId, userId: string): MaybePromise<Standing | null>;
  tenant(tenantId: TenantId): MaybePromise<Standing | null>;
}

const fault = (reason: string, message: string): Fault => new Fault('UNAUTHENTICATED', reason, message);

/**
 * Racers are believed to be one client when the same credential sends them: the calling workload or key. The user's own access token
 * is no other sender than none at all: it may have expired between a request and its retry.
 */
const senderOf = ({ caller }: Call, token: RefreshToken): string => {
  if (caller.kind === 'anonymous' || isUser(caller, token.tenantId, token.userId)) return 'anonymous';
  const { type, id } = subjectOf(caller);
  return `${type}:${caller.tenantId}:${id}`;
};

/**
 * Before the database: who is asking, and may they still? Nothing is loaded inside the transaction.
 * Answers the head that the login must have seen at least.
 */
const assertStanding = async (deps: RefreshDeps, token: RefreshToken): Promise<number> => {
  const tenant = await deps.tenant(token.tenantId);
  if (tenant === null) throw fault('REFRESH_TOKEN_INVALID', 'no such refresh token');
  if (tenant.status !== 'active') throw fault('TENANT_SUSPENDED', 'the tenant is suspended');
  const user = await deps.user(token.tenantId, token.userId);
  if (user === null) throw fault('REFRESH_TOKEN_INVALID', 'no such refresh token');
  if (user.status !== 'active') throw fault('USER_SUSPENDED', 'the user is not active');
  return Math.max(tenant.watermark, user.watermark);
};

export const refreshTokens = (deps: RefreshDeps) => {
  const decide = createDecide(deps);
  return async (text: string, device: Device | null, call: Call, asked: Partial<BindingAsked> = {}): Promise<Tokens> => {
    const token = readRefreshToken(deps.refreshKeys, text);
    if (token === null) throw fault('REFRESH_TOKEN_INVALID', 'no such refresh token');
    const dead = await deps.denyList.deadFamily(token.tenantId, token.familyId);
    if (dead !== null) throw fault(dead === 'reused' ? 'REFRESH_TOKEN_REUSED' : 'SESSION_ENDED', ENDED);
    const known = deps.feed.cursor();
    const floor = await assertStanding(deps, token);
    const shown = await shownBy(deps)(asked.context, call);
    const confirmation = confirmationFor(asked.binding ?? '', shown);
    const terms = await deps.terms(token.tenantId, token.userId);

    const presented: Presented = {
      generation: token.generation,
      hash: hashOf(deps.refreshKeys, token),
      sender: senderOf(call, token),
      deviceId: device?.deviceId ?? '',
      fingerprint: fingerprintOf(token.tenantId, device?.fingerprint ?? ''),
      shown,
    };
    const result = await decide({ token, presented, confirmation, floor, known, terms, call });
    if (result.kind === 'refused') {
      if (result.reason === 'REFRESH_TOKEN_REUSED') deps.denyList.endFamily(token.tenantId, token.familyId, 'reused');
      throw fault(result.reason, result.message);
    }

    const { family, salt } = result;
    const { permissions } = await deps.rights(family.tenantId, { type: 'user', id: family.userId });
    const next = salt === null ? text : printRefreshToken(deps.refreshKeys, successorOf(deps.refreshKeys, token, salt));
    return issue(
      deps.keyring,
      claimsOf(deps.issuer, family, family.access, { permissions, restrictions: terms.restrictions, limitsSeq: terms.asOf }),
      next,
    );
  };
};
