// Revokes a certificate for ever: its holder may, and whoever has the right. A compromised key takes all its certificates with it.
import type { Call, MaybePromise } from '../base/call.ts';
import { type Caller, type KnownCaller, known, type TenantId, tenantOf } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Instant, seconds } from '../base/time.ts';
import type { Change, Database, Tx, Write } from '../storage/storage.ts';
import { REVOCATION_REASONS, type StoredCertificate } from './certificate.ts';
import type { ServiceName } from './spiffe-id.ts';
import type { CertificateStore, JoinTokenStore } from './stores.ts';
import { canonicalSerial } from './x509.ts';

export interface RevokeDeps {
  readonly db: Pick<Database, 'tenant'>;
  readonly write: Write;
  readonly certificates: Pick<CertificateStore, 'find' | 'revoke' | 'revokeKey'>;
  readonly holds: (caller: Caller, permission: string) => MaybePromise<boolean>;
}

export interface RevokeRequest {
  readonly tenantId: string;
  readonly serialNumber: string;
  readonly reason: string;
}

export interface RevokedCertificate {
  readonly certificate: StoredCertificate;
  readonly revision: number;
  readonly effectiveBy: Instant;
}

const REVOKE = 'certificates:revoke';
/** Every healthy replica has polled the change feed by then (design: ≤ 2 s). */
const PROPAGATION = seconds(2);

const notFound = (): Fault => new Fault('NOT_FOUND', 'CERTIFICATE_NOT_FOUND', 'no such certificate');

const change = ({ tenantId, serialNumber, notAfter, revocationReason }: StoredCertificate): Change => ({
  kind: 'certificate',
  tenantId,
  key: serialNumber,
  until: notAfter + 1000,
  detail: revocationReason,
});

const holdsIt = (caller: KnownCaller, one: StoredCertificate): boolean =>
  caller.kind === 'workload' && caller.tenantId === one.tenantId && caller.namespace === one.namespace && caller.name === one.service;

export const createRevoke = ({ db, write, certificates, holds }: RevokeDeps) => {
  const mayRevoke = async (caller: KnownCaller): Promise<boolean> => {
    if (caller.kind === 'workload' && !caller.entry?.calls.includes('RevokeCertificate')) return false;
    return holds(caller, REVOKE);
  };

  const find = (tenantId: TenantId, serial: string): Promise<StoredCertificate | null> =>
    db.tenant(tenantId, (tx) => certificates.find(tx, tenantId, serial));

  return async (request: RevokeRequest, call: Call): Promise<RevokedCertificate> => {
    const caller = known(call.caller);
    const tenantId = tenantOf(caller, request.tenantId);
    const serial = canonicalSerial(request.serialNumber);
    const reason = request.reason === '' ? 'unspecified' : request.reason;
    if (!REVOCATION_REASONS.some((one) => one === reason)) throw badField('reason', `must be one of ${REVOCATION_REASONS.join(', ')}`);
    const privileged = await mayRevoke(caller);
    const there = await find(tenantId, serial);
    // Without the right, another's certificate reads like none.
    if (!privileged && (there === null || !holdsIt(caller, there))) {
      if (caller.kind === 'workload') throw notFound();
      throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `this call needs the permission ${REVOKE}`, {
        meta: { permission: REVOKE },
      });
    }
    if (there === null) throw notFound();
    const { result, revision } = await write(tenantId, async (tx) => {
      const revoked =
        reason === 'keyCompromise'
          ? await certificates.revokeKey(tx, tenantId, there.spkiSha256, call.now, reason)
          : await certificates.revoke(tx, tenantId, serial, call.now, reason);
      const now = await certificates.find(tx, tenantId, serial);
      return {
        result: now ?? there,
        changes: revoked.map(change),
        events: revoked.map((one) =>
          eventOf(call, tenantId, 'certificate.revoked', `certificate:${one.serialNumber}`, {
            level: 'warning',
            details: { spiffe_id: one.spiffeId, reason },
          }),
        ),
      };
    });
    return { certificate: result, revision, effectiveBy: call.now + PROPAGATION };
  };
};

export interface EndServiceDeps {
  readonly certificates: Pick<CertificateStore, 'revokeService'>;
  readonly joinTokens: Pick<JoinTokenStore, 'spendAll'>;
}

/** Inside the change that deletes a service: nothing that was issued for it proves anything from then on. Answers what the writer adds. */
export const createEndService =
  ({ certificates, joinTokens }: EndServiceDeps) =>
  async (tx: Tx, tenantId: TenantId, name: ServiceName, call: Call): Promise<readonly Change[]> => {
    await joinTokens.spendAll(tx, tenantId, name);
    const ended = await certificates.revokeService(tx, tenantId, name, call.now, 'cessationOfOperation');
    return ended.filter(({ notAfter }) => notAfter > call.now).map(change);
  };
