// Joins the certificates capability with its tables, node-forge, the key thread and the change feed.
import type { AuditEntry } from '../base/event.ts';
import { days, hours, type Instant, minutes, type Millis, seconds } from '../base/time.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import { createClaimIdempotency } from '../storage/idempotency.postgres.ts';
import { authorityStore } from './authorities.postgres.ts';
import type { StoredCertificate } from './certificate.ts';
import { type Certificates, createCertificates, type EntitlementPorts, type ServerIdentity } from './certificates.ts';
import type { certificatesConfig } from './certificates.config.ts';
import { certificateServices, issueServiceCertHandler } from './certificates.rpc.ts';
import { certificateStore } from './certificates.postgres.ts';
import { joinTokenStore } from './join-tokens.postgres.ts';
import { createKeeper } from './keep-authority.ts';
import { createKeyThread } from './keys.worker.ts';
import type { OwnNames } from './names.ts';
import { createRevocations } from './revocations.ts';
import { createServerIdentity } from './server-identity.ts';
import { forgeCodec } from './x509.forge.ts';

export interface CertificatesWire {
  readonly door: Certificates;
  readonly services: readonly Service[];
  /** For the row of SecurityHub/IssueServiceCert. */
  readonly issueServiceCert: ReturnType<typeof issueServiceCertHandler>;
  /** The hub's own certificate, renewed by itself: a source for the transport's TLS. */
  readonly serverIdentity: () => ServerIdentity;
  /** Why nothing can be issued or known, or null. */
  notReady(): string | null;
  /** Loads or makes the authority and the server certificate. After migrations and the master key's check, before anything listens. */
  start(): Promise<void>;
  /** Makes what is due of authorities; the schedule does it as well. */
  keepAuthority(): Promise<void>;
  /** Forgets certificates and join tokens that ended long ago; the schedule does it as well. */
  sweep(): Promise<void>;
  /** Waits for certificates under way, ends the key thread. */
  close(): Promise<void>;
}

/** Namespace and service by which the hub itself is known: spiffe://<trust domain>/ns/security-hub/sa/security-hub. */
const HUB = 'security-hub';
const REVOCATIONS_KEPT = 1_000_000;
const SWEPT_AT_ONCE = 5000;

export const wireCertificates = (
  platform: Platform,
  config: Values<typeof certificatesConfig> & { readonly serviceName: string },
  ports: EntitlementPorts,
): CertificatesWire => {
  const { clock, random, sealer, db, feed, log, metrics, production } = platform;
  const { trustDomain } = config;
  const own: OwnNames = {
    namespace: HUB,
    service: HUB,
    dnsNames: [...new Set(['localhost', config.serviceName.toLowerCase(), ...config.serverNames])],
  };
  const keeper = createKeeper({
    store: authorityStore(db, platform.writeInstallation),
    sealer,
    codec: forgeCodec,
    clock,
    random,
    trustDomain,
    life: { root: config.rootLife, intermediate: config.intermediateLife },
  });
  const server = createServerIdentity({ keeper, codec: forgeCodec, clock, random, own, ttl: config.serverLife });
  const revocations = createRevocations(REVOCATIONS_KEPT);
  const certificates = certificateStore(db);
  const joinTokens = joinTokenStore(db);
  const keys = createKeyThread();

  const group = platform.groupCommit<{ readonly certificate: StoredCertificate; readonly event: AuditEntry }>((batch) =>
    db.jobs(async (tx) => {
      await certificates.insert(
        tx,
        batch.map(({ certificate }) => certificate),
      );
      await platform.audit.insert(
        tx,
        batch.map(({ event }) => event),
      );
    }),
  );

  const door = createCertificates({
    ...platform,
    ...ports,
    codec: forgeCodec,
    keeper,
    trustDomain,
    own,
    development: !production,
    life: { default: config.life, least: config.leastLife, most: config.mostLife },
    keys,
    mayGenerate: !production || config.allowGeneratedKeys,
    record: (certificate, event) => group.add({ certificate, event }),
    claim: createClaimIdempotency(sealer.derive('idempotency')),
    certificates,
    joinTokens,
    joinTokenKey: sealer.derive('join-token'),
    revocations,
  });

  feed.on(['certificate'], ({ key, until }) => revocations.apply(key, until));
  feed.on(['authority'], () => {
    keeper.reload().catch((cause: unknown) => log.warn({ cause: String(cause) }, 'the certificate authority could not be loaded again'));
  });

  let started = false;
  const whenStarted = (work: () => void | Promise<void>) => async (): Promise<void> => {
    if (started) await work();
  };
  platform.every('certificates.authority', minutes(10), whenStarted(keeper.keep));
  platform.every('certificates.server', Math.min(config.serverLife / 10, minutes(1)), whenStarted(server.renew));
  platform.every('certificates.revocations', seconds(30), async () => revocations.sweep(feed.past(), SWEPT_AT_ONCE));
  const sweep = async (): Promise<void> => {
    await certificates.sweep(clock.now() - config.retention, SWEPT_AT_ONCE);
    await joinTokens.sweep(clock.now() - days(7), SWEPT_AT_ONCE);
  };
  platform.every('certificates.sweep', hours(1) / 12, sweep, true);

  const left = (end: () => Instant): Millis => (started ? (end() - clock.now()) / 1000 : 0);
  const expiry = 'Seconds until the certificate ends.';
  metrics.gauge('securityhub_certificate_expiry_seconds', expiry, { certificate: 'server' }, () =>
    left(() => server.identity.current().notAfter),
  );
  for (const kind of ['root', 'intermediate'] as const)
    metrics.gauge('securityhub_certificate_expiry_seconds', expiry, { certificate: kind }, () =>
      left(() =>
        Math.max(
          ...keeper
            .ring()
            .authorities.filter((one) => one.kind === kind)
            .map((one) => one.certificate.fields.notAfter),
        ),
      ),
    );
  metrics.gauge('securityhub_certificates_revoked', 'Revoked certificates in memory.', {}, () => revocations.size);

  return {
    door,
    services: certificateServices(door),
    issueServiceCert: issueServiceCertHandler(door),
    serverIdentity: () => server.identity,
    notReady() {
      if (!started) return 'the certificate authority is not loaded';
      return revocations.full ? 'too many certificates are revoked' : null;
    },
    async start() {
      await keeper.keep();
      server.renew();
      started = true;
    },
    keepAuthority: keeper.keep,
    sweep,
    async close() {
      await group.drain();
      await keys.close();
    },
  };
};
