// Verifying a foreign token: cold with its issuer's key and one signature check, warm with one hash. Its kid is only ever looked up in its issuer's keys.
import { hash } from 'node:crypto';
import { boundedMap } from '../base/bounded.ts';
import type { MaybePromise, Payer } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { andThen, isPromise } from '../base/maybe.ts';
import { type Instant, type Millis, minutes } from '../base/time.ts';
import type { Refusal } from '../tokens/tokens.ts';
import { type ForeignClaims, type Json, readForeign, speaksFor, workloadOf } from './claims.ts';
import { readHeader } from './header.ts';
import type { TrustedIssuer } from './issuer.ts';
import type { JwsRules } from './issuers.ts';
import type { IssuerKey } from './jwks.ts';
import type { KeySource } from './key-source.ts';

/** What our revocations are asked: the number of the feed stands for the time of its issue. */
export interface Marked extends ForeignClaims {
  readonly rsq: number;
}

export type ForeignVerified =
  | { readonly ok: true; readonly claims: Marked; readonly inGrace: boolean }
  /** `claims` are there when the signature held and only time is against the token. */
  | ({ readonly ok: false; readonly claims: Marked | null } & Refusal);

export interface VerifyDeps {
  readonly jws: JwsRules;
  /** The tenant's registrations; another list whenever one of them changed. */
  readonly issuers: (tenantId: TenantId) => MaybePromise<readonly TrustedIssuer[]>;
  readonly keysOf: (issuer: TrustedIssuer) => KeySource;
  /** The number of the feed below which a watermark came before a token issued then. */
  readonly numberAt: (issuedAt: Instant) => MaybePromise<number>;
  readonly namespaceOwner: (namespace: string) => MaybePromise<TenantId | null>;
  /** The longest that a token counts after its issue: revocations are remembered for that long. */
  readonly longest: Millis;
  /** Asked for before a signature is checked, and where an issuer has to be asked for a key; throws where the payer has used its part up. */
  readonly pay: (what: 'cold' | 'key_miss', payer: Payer) => void;
  /** Verified tokens kept in memory. */
  readonly capacity: number;
}

const REFUSALS = 4096;
const REMEMBERED: Millis = minutes(1);

interface Accepted {
  readonly verified: ForeignVerified & { readonly ok: true };
  readonly list: readonly TrustedIssuer[];
  readonly source: KeySource;
  readonly key: IssuerKey;
}

interface Refused {
  readonly verified: ForeignVerified;
  readonly list: readonly TrustedIssuer[];
}

const EXPIRED: Refusal = { reason: 'TOKEN_EXPIRED', message: 'the token has expired, or is older than tokens of this issuer may be' };
const EARLY: Refusal = { reason: 'TOKEN_NOT_YET_VALID', message: 'the token comes from the future' };
const UNKNOWN: Refusal = { reason: 'KEY_UNKNOWN', message: 'its issuer has no such key' };
const NOT_ALLOWED: Refusal = { reason: 'ALGORITHM_NOT_ALLOWED', message: 'the key is not used with that algorithm' };
const FORGED: Refusal = { reason: 'SIGNATURE_INVALID', message: 'the signature does not hold' };
const NOT_OURS: Refusal = { reason: 'CLAIM_INVALID', message: 'the namespace of the workload belongs to another tenant' };

const refused = (refusal: Refusal, claims: Marked | null = null): ForeignVerified => ({ ok: false, ...refusal, claims });

/** A token taken apart; nothing of it is believed yet. */
interface Parsed {
  readonly header: Json;
  readonly payload: Json;
  readonly signed: string;
  readonly signature: Buffer;
}

export const createVerify = (deps: VerifyDeps) => {
  const { jws } = deps;
  const accepted = boundedMap<string, Accepted>(deps.capacity);
  const refusals = boundedMap<string, Refused>(REFUSALS);

  /** null for what does not even have the shape: our own verifier says what is wrong with it. */
  const parse = (token: string): Parsed | null => {
    const segments = jws.segments(token);
    if ('reason' in segments) return null;
    const payload = jws.object(segments.payload);
    return payload === null ? null : { ...segments, payload };
  };

  const judged = (verified: Accepted['verified'], now: Instant, grace: Millis): ForeignVerified => {
    switch (jws.timing(verified.claims, now, grace)) {
      case 'valid':
        return verified;
      case 'in_grace':
        return { ...verified, inGrace: true };
      case 'expired':
        return refused(EXPIRED, verified.claims);
      case 'not_yet_valid':
        return refused(EARLY, verified.claims);
    }
  };

  /** The claims as one registration reads them, the key that held, or why not. */
  const examine = async (
    parsed: Parsed,
    trusted: TrustedIssuer,
    digest: string,
    payer: Payer,
  ): Promise<{ readonly claims: Marked; readonly key: IssuerKey; readonly source: KeySource } | Refusal> => {
    const header = readHeader(parsed.header);
    if ('reason' in header) return header;
    const { kid, algorithm } = header;
    if (!trusted.algorithms.includes(algorithm)) return NOT_ALLOWED;
    const source = deps.keysOf(trusted);
    const asked = source.key(kid);
    if (isPromise(asked)) {
      // Its outcome is told to whoever waits for it; it is not thrown away unheard where this one may not wait.
      asked.catch(() => {});
      deps.pay('key_miss', payer);
    }
    const found = await asked;
    if (found === null) return UNKNOWN;
    const key = found.algorithms.includes(algorithm) ? found.key() : null;
    if (key === null) return NOT_ALLOWED;
    deps.pay('cold', payer);
    if (!jws.holds(algorithm, key, parsed.signed, parsed.signature)) return FORGED;
    const claims = readForeign(parsed.payload, trusted, { longest: deps.longest, digest, confirmation: jws.confirmation });
    if ('reason' in claims) return claims;
    const workload = trusted.mapping.subjectKind === 'workload' ? workloadOf(claims.subject) : null;
    if (workload !== null && (await deps.namespaceOwner(workload.namespace)) !== trusted.tenantId) return NOT_OURS;
    return { claims: { ...claims, rsq: await deps.numberAt(claims.issuedAt) }, key: found, source };
  };

  /** The first registration that accepts it; else the first one's refusal. null: nobody here trusts its issuer. */
  const cold = (token: string, list: readonly TrustedIssuer[], id: string, digest: string, now: Instant, grace: Millis, payer: Payer) => {
    const parsed = parse(token);
    if (parsed === null) return null;
    const candidates = list.filter((trusted) => speaksFor(trusted, parsed.payload));
    if (candidates.length === 0) return null;
    return (async (): Promise<ForeignVerified> => {
      let first: Refusal | null = null;
      for (const trusted of candidates) {
        const read = await examine(parsed, trusted, digest, payer);
        if ('reason' in read) {
          first ??= read;
          continue;
        }
        // After the last wait: it may have been deleted or changed meanwhile.
        if (
          !(await deps.issuers(trusted.tenantId)).some(({ name, updatedAt }) => name === trusted.name && updatedAt === trusted.updatedAt)
        ) {
          first ??= UNKNOWN;
          continue;
        }
        const verified = { ok: true, claims: read.claims, inGrace: false } as const;
        accepted.set(id, { verified, list, source: read.source, key: read.key }, read.claims.expiresAt + minutes(1));
        return judged(verified, now, grace);
      }
      const verdict = refused(first ?? UNKNOWN);
      // An unknown key may become known.
      if (first !== UNKNOWN) refusals.set(id, { verified: verdict, list }, now + REMEMBERED);
      return verdict;
    })();
  };

  const inTenant = (
    token: string,
    digest: string,
    tenantId: TenantId,
    now: Instant,
    grace: Millis,
    payer: Payer,
  ): MaybePromise<ForeignVerified | null> =>
    andThen(deps.issuers(tenantId), (list) => {
      if (list.length === 0) return null;
      const id = `${tenantId} ${digest}`;
      const bad = refusals.get(id, now);
      if (bad?.list === list) return bad.verified;
      const good = accepted.get(id, now);
      if (good?.list !== list) return cold(token, list, id, digest, now, grace, payer);
      // The issuer may have withdrawn the key since.
      return andThen(good.source.key(good.key.kid), (key) =>
        key === good.key ? judged(good.verified, now, grace) : cold(token, list, id, digest, now, grace, payer),
      );
    });

  /** In the first of the tenants that accepts it; null where none of them has anything to do with its issuer. */
  const verify = (
    token: string,
    now: Instant,
    grace: Millis,
    tenants: readonly TenantId[],
    payer: Payer,
  ): MaybePromise<ForeignVerified | null> => {
    const digest = hash('sha256', token, 'base64url');
    const from = (at: number, before: ForeignVerified | null): MaybePromise<ForeignVerified | null> => {
      const tenantId = tenants[at];
      if (tenantId === undefined) return before;
      return andThen(inTenant(token, digest, tenantId, now, grace, payer), (found) =>
        found?.ok === true ? found : from(at + 1, before ?? found),
      );
    };
    return from(0, null);
  };

  return {
    verify,
    /** Numbers of another history mean nothing: before the feed loads everything again. */
    forget: (): void => {
      accepted.clear();
      refusals.clear();
    },
    get size() {
      return accepted.size;
    },
  };
};
