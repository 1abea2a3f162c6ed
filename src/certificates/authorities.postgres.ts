// Authorities in Postgres: certificates in the clear, private keys sealed.
import { type AuditEntry, ownEvent } from '../base/event.ts';
import type { Database, WriteInstallation } from '../storage/storage.ts';
import type { AuthorityKind } from './authority.ts';
import type { AuthorityStore, StoredAuthority } from './keep-authority.ts';

interface Tables {
  authorities: {
    kind: AuthorityKind;
    generation: number;
    trust_domain: string;
    authority_id: string;
    certificate: Buffer;
    private_sealed: Buffer;
    not_before: Date;
    not_after: Date;
    created_at: Date;
  };
}

const madeEvent = ({ kind, generation, authorityId, notAfter }: StoredAuthority): AuditEntry =>
  ownEvent('', 'authority.created', {
    resource: `authority:${authorityId}`,
    level: 'warning',
    details: { kind, generation, not_after: new Date(notAfter).toISOString() },
  });

export const authorityStore = (db: Database, writeInstallation: WriteInstallation): AuthorityStore => ({
  load: (trustDomain) =>
    db.jobs(async (tx) => {
      const rows = await tx
        .tables<Tables>()
        .selectFrom('authorities')
        .selectAll()
        .where('trust_domain', '=', trustDomain)
        .orderBy('generation')
        .execute();
      return rows.map((row) => ({
        kind: row.kind,
        generation: row.generation,
        trustDomain: row.trust_domain,
        authorityId: row.authority_id,
        certificate: row.certificate,
        privateSealed: row.private_sealed,
        notBefore: row.not_before.getTime(),
        notAfter: row.not_after.getTime(),
        createdAt: row.created_at.getTime(),
      }));
    }),

  // The primary key decides between replicas that make the same generation; whoever loses throws its key away.
  async offer(authority) {
    await writeInstallation(async (tx) => {
      const stored = await tx
        .tables<Tables>()
        .insertInto('authorities')
        .values({
          kind: authority.kind,
          generation: authority.generation,
          trust_domain: authority.trustDomain,
          authority_id: authority.authorityId,
          certificate: authority.certificate,
          private_sealed: authority.privateSealed,
          not_before: new Date(authority.notBefore),
          not_after: new Date(authority.notAfter),
          created_at: new Date(authority.createdAt),
        })
        .onConflict((conflict) => conflict.doNothing())
        .returning('authority_id')
        .executeTakeFirst();
      if (stored === undefined) return { result: null };
      return {
        result: null,
        changes: [{ kind: 'authority', tenantId: '', key: authority.authorityId, until: null }],
        events: [madeEvent(authority)],
      };
    });
  },
});
