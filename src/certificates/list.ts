// Lists issued certificates, newest first, a page at a time.
import type { TenantId } from '../base/caller.ts';
import { type Pager, pageSize } from '../base/page.ts';
import type { Instant } from '../base/time.ts';
import type { CertificateFilter, Position, StoredCertificate } from './certificate.ts';
import type { CertificateStore } from './stores.ts';

export interface ListRequest {
  readonly tenantId: TenantId;
  readonly filter: CertificateFilter;
  /** 0: the default. */
  readonly pageSize: number;
  readonly pageToken: string;
}

const positionOf = (text: string): Position | null => {
  const at = text.indexOf(' ');
  return text === '' ? null : { issuedAt: Number(text.slice(0, at)), serialNumber: text.slice(at + 1) };
};

export const createList =
  (certificates: Pick<CertificateStore, 'list'>, pager: Pager) =>
  async (
    request: ListRequest,
    now: Instant,
  ): Promise<{ readonly certificates: readonly StoredCertificate[]; readonly nextPageToken: string }> => {
    const { tenantId, filter } = request;
    const query = ['certificates', tenantId, filter];
    const after = positionOf(pager.open(query, request.pageToken));
    const size = pageSize(request.pageSize);
    const found = await certificates.list(tenantId, filter, now, after, size + 1);
    const page = found.slice(0, size);
    const last = found.length > size ? page.at(-1) : undefined;
    return { certificates: page, nextPageToken: last === undefined ? '' : pager.seal(query, `${last.issuedAt} ${last.serialNumber}`) };
  };
