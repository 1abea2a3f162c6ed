// Door of the trusted issuers: registering them, and verifying their tokens as ours are verified.
import type { KeyObject } from 'node:crypto';
import type { Call, MaybePromise, Payer } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { andThen } from '../base/maybe.ts';
import { type Pager, pageSize } from '../base/page.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Database } from '../storage/storage.ts';
import type { Refusal } from '../tokens/tokens.ts';
import { type ChangeDeps, deleteIssuer, putIssuer } from './change.ts';
import { issuerNameOf, type Json } from './claims.ts';
import type { IssuerAlgorithm, NewIssuer, TrustedIssuer } from './issuer.ts';
import type { KeySource } from './key-source.ts';
import { createVerify, type ForeignVerified, type VerifyDeps } from './verify.ts';

export type { NewIssuer, SubjectKind, TrustedIssuer } from './issuer.ts';
export type { ForeignVerified, Marked } from './verify.ts';
export type { ForeignClaims } from './claims.ts';

/** How a JWS is taken apart, checked and timed: the rules of our own tokens, so that there is one reader. */
export interface JwsRules {
  segments(
    token: string,
  ): { readonly header: Json; readonly payload: Buffer; readonly signature: Buffer; readonly signed: string } | Refusal;
  /** One JSON object, every member once; null for anything else. */
  object(bytes: Uint8Array): Json | null;
  holds(algorithm: IssuerAlgorithm, key: KeyObject, signed: string, signature: Uint8Array): boolean;
  /** What `cnf` binds a token to. */
  confirmation(cnf: Json): Confirmation;
  timing(
    claims: { readonly expiresAt: Instant; readonly notBefore: Instant; readonly issuedAt: Instant },
    now: Instant,
    grace: Millis,
  ): 'valid' | 'in_grace' | 'expired' | 'not_yet_valid';
}

export interface Listed {
  readonly items: readonly { readonly issuer: TrustedIssuer; readonly keys: ReturnType<KeySource['state']> }[];
  /** '' after the last page. */
  readonly next: string;
}

export interface IssuersDoor {
  /**
   * INVALID_ARGUMENT with the field, ISSUER_ADDRESS_FORBIDDEN among them; FAILED_PRECONDITION / ISSUER_FIXED;
   * RESOURCE_EXHAUSTED / TOO_MANY_ISSUERS; PERMISSION_DENIED / ESCALATION, PERMISSION_MISSING.
   */
  put(
    issuer: NewIssuer,
    call: Call,
  ): Promise<{ readonly issuer: TrustedIssuer; readonly keys: ReturnType<KeySource['state']>; readonly revision: number }>;
  list(asked: { readonly tenantId: TenantId; readonly pageSize: number; readonly pageToken: string }): Promise<Listed>;
  /** NOT_FOUND / ISSUER_NOT_FOUND. */
  delete(tenantId: TenantId, name: string, call: Call): Promise<{ readonly revision: number }>;
  /**
   * Shape, key, signature, issuer, claims, time, in the first of these tenants whose issuer accepts it; never the caller's audience,
   * revocation or binding. null where none of them has anything to do with its issuer. At once when warm.
   * UNAVAILABLE / ISSUER_KEYS_UNAVAILABLE where its keys cannot be had; RESOURCE_EXHAUSTED / BUDGET_EXHAUSTED where `payer` may cost no more.
   */
  verify(token: string, now: Instant, grace: Millis, tenants: readonly TenantId[], payer: Payer): MaybePromise<ForeignVerified | null>;
  /** Is this the id of a subject, session, client or token of an issuer that the tenant trusts? */
  knows(tenantId: TenantId, id: string): MaybePromise<boolean>;
}

export interface IssuersDeps extends VerifyDeps, ChangeDeps {
  readonly db: Database;
  readonly pager: Pager;
}

/** `forget`: before the feed loads everything again. */
export const createIssuers = (deps: IssuersDeps): IssuersDoor & { forget(): void; readonly size: number } => {
  const { verify, ...verifier } = createVerify(deps);
  const put = putIssuer(deps);
  return {
    put: async (asked, call) => {
      const { issuer, revision } = await put(asked, call);
      return { issuer, keys: deps.keysOf(issuer).state(), revision };
    },
    async list({ tenantId, pageSize: asked, pageToken }) {
      const query = ['trusted_issuers', tenantId];
      const size = pageSize(asked);
      const after = deps.pager.open(query, pageToken);
      const rows = await deps.db.tenant(tenantId, (tx) => deps.store.page(tx, tenantId, after, size + 1));
      const items = rows.slice(0, size).map((issuer) => ({ issuer, keys: deps.keysOf(issuer).state() }));
      const last = items.at(-1);
      return { items, next: rows.length > size && last !== undefined ? deps.pager.seal(query, last.issuer.name) : '' };
    },
    delete: deleteIssuer(deps),
    verify,
    knows(tenantId, id) {
      const name = issuerNameOf(id);
      return name === null ? false : andThen(deps.issuers(tenantId), (list) => list.some((issuer) => issuer.name === name));
    },
    forget: verifier.forget,
    get size() {
      return verifier.size;
    },
  };
};
