// Finds events again: newest first, page by page, inside one tenant.
import { badField } from '../base/fault.ts';
import { pageSize } from '../base/page.ts';
import type { Audit, AuditDeps, Position } from './audit.ts';

const positionOf = (after: string): Position | null => {
  if (after === '') return null;
  const [time = '', id = ''] = after.split('|');
  return { time: Number(time), id };
};

export const createSearch =
  ({ pager, store }: Pick<AuditDeps, 'pager' | 'store'>, recording: Pick<Audit, 'writeDue'>): Audit['search'] =>
  async ({ tenantId, filter, pageSize: requested, pageToken }) => {
    if (filter.from !== null && filter.until !== null && filter.from >= filter.until)
      throw badField('before', 'must be later than `after`');
    const query = { tenantId, filter };
    const limit = pageSize(requested);
    // What this replica has seen, it finds: nobody should have to wait for the next turn of the writer.
    await recording.writeDue();
    const found = await store.search(tenantId, filter, positionOf(pager.open(query, pageToken)), limit + 1);
    const events = found.slice(0, limit);
    const end = events.at(-1);
    return { events, nextPageToken: found.length > limit && end !== undefined ? pager.seal(query, `${end.time}|${end.id}`) : '' };
  };
