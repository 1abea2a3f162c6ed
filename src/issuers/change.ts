// Registers an issuer, replaces its entry, or deletes it. Nobody lets an issuer give more than the registrar holds.
import { X509Certificate } from 'node:crypto';
import type { Call, MaybePromise } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';
import type { Change, Write } from '../storage/storage.ts';
import { type AddressRules, urlProblem } from './address.ts';
import { subjectsOf } from './claims.ts';
import { discoveryOf, isForeignKind, issuerNotFound, newIssuer, type NewIssuer, rolesGiven, type TrustedIssuer } from './issuer.ts';
import { readJwks } from './jwks.ts';
import type { IssuerStore } from './stores.ts';

export interface ChangeDeps {
  readonly write: Write;
  readonly store: IssuerStore;
  readonly rules: AddressRules;
  readonly ownIssuer: string;
  readonly longest: Millis;
  /** Held, and not only lent: an entry outlasts every loan. */
  readonly owns: (caller: Caller, permission: string) => MaybePromise<boolean>;
  /** NOT_FOUND / ROLE_NOT_FOUND for a role that is none; PERMISSION_DENIED / ESCALATION for one that gives more than the caller holds. */
  readonly mayGive: (caller: Caller, tenantId: TenantId, roles: readonly string[]) => MaybePromise<void>;
  /** Was anything given here to a subject whose id begins so? */
  readonly someoneUnder: (tenantId: TenantId, prefix: string) => Promise<boolean>;
}

const MOST = 50;
/** Whoever lets an issuer name any user or workload of the tenant could be any of them. */
const EVERYTHING = '*:*';

const changeOf = (tenantId: TenantId, name: string): Change => ({ kind: 'trusted_issuer', tenantId, key: name, until: null });

/** At least one certificate, and no block that is not one. */
const isBundle = (pem: string): boolean => {
  const blocks = pem.match(/-----BEGIN [^-]+-----[^-]*-----END [^-]+-----/g) ?? [];
  try {
    return blocks.length > 0 && blocks.every((block) => new X509Certificate(block).raw.length > 0);
  } catch {
    return false;
  }
};

const checkSources = (issuer: NewIssuer, rules: AddressRules): void => {
  const forbidden = (field: string, problem: string): Fault => badField(field, problem, 'ISSUER_ADDRESS_FORBIDDEN');
  if (issuer.jwks !== '') {
    const keys = readJwks(issuer.jwks);
    if (keys === null || keys.size === 0) throw badField('issuer.jwks', 'must be a JWK Set with at least one public key that we can use');
    for (const key of keys.values()) if (key.key() === null) throw badField('issuer.jwks', `the key "${key.kid}" is not a good public key`);
  } else if (issuer.jwksUri === '') {
    const problem = urlProblem(discoveryOf(issuer), rules);
    if (problem !== null) throw forbidden(issuer.discoveryUri === '' ? 'issuer.issuer' : 'issuer.discovery_uri', problem);
  } else {
    const problem = urlProblem(issuer.jwksUri, rules);
    if (problem !== null) throw forbidden('issuer.jwks_uri', problem);
  }
  if (issuer.caCertificates !== '' && !isBundle(issuer.caCertificates))
    throw badField('issuer.ca_certificates', 'must be certificates in PEM, and nothing that is none');
};

/**
 * Asked before the transaction, which must not wait for another connection. Whoever says by which keys an issuer is known can be any of
 * its subjects, so what they were given here is given to him as well.
 */
const checkGiven = async (deps: ChangeDeps, { tenantId, name, mapping }: NewIssuer, { caller }: Call): Promise<void> => {
  const lacking = (code: string, why: string): Fault =>
    new Fault('PERMISSION_DENIED', code, `${why}: this needs ${EVERYTHING}`, { meta: { permission: EVERYTHING } });
  if (!isForeignKind(mapping.subjectKind)) {
    if (await deps.owns(caller, EVERYTHING)) return;
    throw lacking('PERMISSION_MISSING', 'such an issuer speaks for users or workloads of the tenant');
  }
  await deps.mayGive(caller, tenantId, rolesGiven(mapping));
  if ((await deps.someoneUnder(tenantId, subjectsOf(name))) && !(await deps.owns(caller, EVERYTHING)))
    throw lacking('ESCALATION', 'subjects of this issuer were given rights of their own');
};

export const putIssuer =
  (deps: ChangeDeps) =>
  async (asked: NewIssuer, call: Call): Promise<{ readonly issuer: TrustedIssuer; readonly revision: number }> => {
    const given = newIssuer(asked, deps.ownIssuer, deps.longest);
    checkSources(given, deps.rules);
    await checkGiven(deps, given, call);
    const { tenantId, name } = given;
    const { result, revision } = await deps.write(tenantId, async (tx) => {
      await deps.store.lock(tx, tenantId);
      const before = await deps.store.find(tx, tenantId, name);
      // Its subjects begin with its name, and keep what they were given here.
      if (before !== null && before.issuer !== given.issuer)
        throw new Fault('FAILED_PRECONDITION', 'ISSUER_FIXED', 'this name belongs to another issuer: take another name', {
          meta: { name },
        });
      if (before === null && (await deps.store.page(tx, tenantId, '', MOST)).length >= MOST)
        throw new Fault('RESOURCE_EXHAUSTED', 'TOO_MANY_ISSUERS', `a tenant trusts at most ${MOST} issuers`);
      const details = { issuer: given.issuer, subjects: given.mapping.subjectKind, roles: rolesGiven(given.mapping).join(' ') };
      return {
        result: await deps.store.put(tx, given),
        changes: [changeOf(tenantId, name)],
        events: [eventOf(call, tenantId, 'trusted_issuer.registered', `trusted_issuer:${name}`, { details })],
      };
    });
    return { issuer: result, revision };
  };

export const deleteIssuer =
  ({ write, store }: Pick<ChangeDeps, 'write' | 'store'>) =>
  async (tenantId: TenantId, name: string, call: Call): Promise<{ readonly revision: number }> => {
    const { revision } = await write(tenantId, async (tx) => {
      if (!(await store.remove(tx, tenantId, name))) throw issuerNotFound();
      return {
        result: null,
        changes: [changeOf(tenantId, name)],
        events: [eventOf(call, tenantId, 'trusted_issuer.deleted', `trusted_issuer:${name}`)],
      };
    });
    return { revision };
  };
