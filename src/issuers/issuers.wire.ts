// Joins the trusted issuers with their table, the feed and the network.
import { boundedMap } from '../base/bounded.ts';
import type { MaybePromise } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import { andThen } from '../base/maybe.ts';
import { hours, type Instant, type Millis, minutes } from '../base/time.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import type { ChangeDeps } from './change.ts';
import { createIssuers, type IssuersDoor, type JwsRules } from './issuers.ts';
import { issuerStore, numberAt } from './issuers.postgres.ts';
import type { issuersConfig } from './issuers.config.ts';
import { trustedIssuerService } from './issuers.rpc.ts';
import type { TrustedIssuer } from './issuer.ts';
import { fetchKeys } from './jwks.fetch.ts';
import { createKeySources } from './key-sources.ts';

export interface IssuersPorts {
  readonly jws: JwsRules;
  readonly holds: (caller: Caller, permission: string) => MaybePromise<boolean>;
  readonly holding: (caller: Caller) => MaybePromise<{ owns(permission: string): boolean }>;
  readonly mayGive: ChangeDeps['mayGive'];
  readonly someoneUnder: ChangeDeps['someoneUnder'];
  readonly namespaceOwner: (namespace: string) => MaybePromise<TenantId | null>;
}

export interface IssuersSettings {
  readonly ownIssuer: string;
  /** The longest that an access token is accepted after its issue, without grace. */
  readonly longest: Millis;
}

const VERIFIED = 20_000;
const MOST_ISSUERS = 1000;
const SECONDS = 10_000;

export const wireIssuers = (
  platform: Platform,
  config: Values<typeof issuersConfig>,
  settings: IssuersSettings,
  ports: IssuersPorts,
): { readonly door: IssuersDoor; readonly services: readonly Service[] } => {
  const { clock, db, feed, metrics, write } = platform;
  const registered = platform.tracked<readonly TrustedIssuer[]>({
    kinds: ['trusted_issuer'],
    touches: () => 'tenant',
    load: (tenantId) => db.tenant(tenantId, (tx) => issuerStore.page(tx, tenantId, '', MOST_ISSUERS)),
    capacity: 10_000,
    ttl: minutes(5),
  });
  const rules = { production: platform.production, hosts: config.hosts };
  const count = (result: string) =>
    metrics.counter('securityhub_issuer_key_fetches_total', 'Fetches of the keys of trusted issuers.', { result });
  const [good, bad] = [count('success'), count('failure')];
  const fetch = fetchKeys(rules);
  const keysOf = createKeySources({
    clock,
    keep: hours(config.keepHours),
    fetch: (trusted) =>
      fetch(trusted).then(
        (fetched) => {
          good.inc();
          return fetched;
        },
        (fault: unknown) => {
          bad.inc();
          platform.log.warn(
            { cause: fault, issuer: trusted.issuer, tenantId: trusted.tenantId },
            'keys of a trusted issuer could not be fetched',
          );
          throw fault;
        },
      ),
  });

  // What a number was at some second never changes: later watermarks have larger ones.
  const numbers = boundedMap<Instant, Promise<number>>(SECONDS);
  const ask = numberAt(db);
  const numberOf = (issuedAt: Instant): Promise<number> => {
    const known = numbers.get(issuedAt, clock.now());
    if (known !== undefined) return known;
    const asked = ask(issuedAt);
    numbers.set(issuedAt, asked, clock.now() + settings.longest);
    asked.catch(() => numbers.delete(issuedAt));
    return asked;
  };

  const door = createIssuers({
    jws: ports.jws,
    issuers: (tenantId) => registered.get(tenantId, ''),
    keysOf,
    pay: platform.pay,
    numberAt: numberOf,
    // Called through, not copied: the composition root may still be joining them.
    namespaceOwner: (namespace) => ports.namespaceOwner(namespace),
    owns: (caller, permission) => andThen(ports.holding(caller), (held) => held.owns(permission)),
    mayGive: (caller, tenantId, roles) => ports.mayGive(caller, tenantId, roles),
    someoneUnder: (tenantId, prefix) => ports.someoneUnder(tenantId, prefix),
    longest: settings.longest,
    ownIssuer: settings.ownIssuer,
    capacity: VERIFIED,
    rules,
    write,
    store: issuerStore,
    db,
    pager: platform.pager,
  });
  feed.on(
    ['trusted_issuer'],
    () => {},
    () => {
      door.forget();
      numbers.clear();
    },
  );
  metrics.gauge('securityhub_foreign_tokens', 'Verified tokens of trusted issuers in memory.', {}, () => door.size);
  return { door, services: [trustedIssuerService(door, (call, permission) => ports.holds(call.caller, permission))] };
};
