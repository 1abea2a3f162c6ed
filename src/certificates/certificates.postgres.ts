// Issued certificates in Postgres: many rows a statement when issued, one row when revoked.
import { type Selectable, sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { CertificateFilter, Position, StoredCertificate } from './certificate.ts';
import type { CertificateStore } from './stores.ts';

interface CertificateTable {
  tenant_id: string;
  serial_number: string;
  namespace: string;
  service: string;
  spiffe_id: string;
  dns_names: string[];
  ip_addresses: string[];
  not_before: Date;
  not_after: Date;
  renew_at: Date;
  sha256: Buffer;
  spki_sha256: Buffer;
  authority_id: string;
  certificate: Buffer | null;
  issued_by: string;
  issued_at: Date;
  revoked_at: Date | null;
  revocation_reason: string;
}
interface Tables {
  certificates: CertificateTable;
}

const rowOf = (one: StoredCertificate): Record<string, unknown> => ({
  tenant_id: one.tenantId,
  serial_number: one.serialNumber,
  namespace: one.namespace,
  service: one.service,
  spiffe_id: one.spiffeId,
  dns_names: one.dnsNames,
  ip_addresses: one.ipAddresses,
  not_before: new Date(one.notBefore).toISOString(),
  not_after: new Date(one.notAfter).toISOString(),
  renew_at: new Date(one.renewAt).toISOString(),
  sha256: one.sha256,
  spki_sha256: one.spkiSha256,
  authority_id: one.authorityId,
  certificate: one.certificate?.toString('hex') ?? null,
  issued_by: one.issuedBy,
  issued_at: new Date(one.issuedAt).toISOString(),
});

const certificateOf = (row: Selectable<CertificateTable>): StoredCertificate => ({
  tenantId: row.tenant_id,
  serialNumber: row.serial_number,
  namespace: row.namespace,
  service: row.service,
  spiffeId: row.spiffe_id,
  dnsNames: row.dns_names,
  ipAddresses: row.ip_addresses,
  notBefore: row.not_before.getTime(),
  notAfter: row.not_after.getTime(),
  renewAt: row.renew_at.getTime(),
  sha256: row.sha256.toString('hex'),
  spkiSha256: row.spki_sha256.toString('hex'),
  authorityId: row.authority_id,
  certificate: row.certificate,
  issuedBy: row.issued_by,
  issuedAt: row.issued_at.getTime(),
  revokedAt: row.revoked_at?.getTime() ?? null,
  revocationReason: row.revocation_reason,
});

// One parameter whatever the number of rows, so that the statement's text never changes.
const insert = async (tx: Tx, certificates: readonly StoredCertificate[]): Promise<void> => {
  await sql`
    INSERT INTO certificates
      (tenant_id, serial_number, namespace, service, spiffe_id, dns_names, ip_addresses, not_before, not_after, renew_at,
       sha256, spki_sha256, authority_id, certificate, issued_by, issued_at)
    SELECT tenant_id, serial_number, namespace, service, spiffe_id, dns_names, ip_addresses, not_before, not_after, renew_at,
           decode(sha256, 'hex'), decode(spki_sha256, 'hex'), authority_id, decode(certificate, 'hex'), issued_by, issued_at
      FROM json_to_recordset(${JSON.stringify(certificates.map(rowOf))}::json) AS row
        (tenant_id text, serial_number text, namespace text, service text, spiffe_id text, dns_names text[], ip_addresses text[],
         not_before timestamptz, not_after timestamptz, renew_at timestamptz, sha256 text, spki_sha256 text, authority_id text,
         certificate text, issued_by text, issued_at timestamptz)`.execute(tx.tables<Tables>());
};

const listed = async (
  tx: Tx,
  tenantId: string,
  filter: CertificateFilter,
  now: number,
  after: Position | null,
  limit: number,
): Promise<readonly StoredCertificate[]> => {
  const beyond = new Date(now - 1000);
  let query = tx.tables<Tables>().selectFrom('certificates').selectAll().where('tenant_id', '=', tenantId);
  if (filter.namespace !== '') query = query.where('namespace', '=', filter.namespace);
  if (filter.service !== '') query = query.where('service', '=', filter.service);
  if (filter.status === 'revoked') query = query.where('revoked_at', 'is not', null);
  if (filter.status === 'active') query = query.where('revoked_at', 'is', null).where('not_after', '>', beyond);
  if (filter.status === 'expired') query = query.where('revoked_at', 'is', null).where('not_after', '<=', beyond);
  // Newest first, and within one millisecond by number.
  if (after !== null)
    query = query.where((at) =>
      at.or([
        at('issued_at', '<', new Date(after.issuedAt)),
        at.and([at('issued_at', '=', new Date(after.issuedAt)), at('serial_number', '>', after.serialNumber)]),
      ]),
    );
  const rows = await query.orderBy('issued_at', 'desc').orderBy('serial_number').limit(limit).execute();
  return rows.map(certificateOf);
};

type Which = Partial<Pick<Selectable<CertificateTable>, 'serial_number' | 'spki_sha256' | 'namespace' | 'service'>>;

/** Those that were not revoked before. */
const revoked = async (
  tx: Tx,
  which: Which & { readonly tenant_id: TenantId },
  now: Instant,
  reason: string,
): Promise<readonly StoredCertificate[]> => {
  const rows = await tx
    .tables<Tables>()
    .updateTable('certificates')
    .set({ revoked_at: new Date(now), revocation_reason: reason })
    .where((at) => at.and(which))
    .where('revoked_at', 'is', null)
    .returningAll()
    .execute();
  return rows.map(certificateOf);
};

export const certificateStore = (db: Database): CertificateStore => ({
  insert,

  async find(tx, tenantId, serialNumber) {
    const row = await tx
      .tables<Tables>()
      .selectFrom('certificates')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('serial_number', '=', serialNumber)
      .executeTakeFirst();
    return row === undefined ? null : certificateOf(row);
  },

  list: (tenantId, filter, now, after, limit) => db.tenant(tenantId, (tx) => listed(tx, tenantId, filter, now, after, limit)),

  revoke: (tx, tenantId, serialNumber, now, reason) => revoked(tx, { tenant_id: tenantId, serial_number: serialNumber }, now, reason),
  revokeKey: (tx, tenantId, spkiSha256, now, reason) =>
    revoked(tx, { tenant_id: tenantId, spki_sha256: Buffer.from(spkiSha256, 'hex') }, now, reason),
  revokeService: (tx, tenantId, { namespace, service }, now, reason) =>
    revoked(tx, { tenant_id: tenantId, namespace, service }, now, reason),

  sweep: (before, limit) =>
    db.jobs(async (tx) => {
      await sql`DELETE FROM certificates WHERE (tenant_id, serial_number) IN
        (SELECT tenant_id, serial_number FROM certificates WHERE not_after < ${new Date(before)} LIMIT ${limit})`.execute(
        tx.tables<Tables>(),
      );
    }),
});
