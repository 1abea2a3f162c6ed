// Looks at API keys, never at their secrets.
import type { TenantId } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { type Pager, pageSize } from '../base/page.ts';
import type { Database } from '../storage/storage.ts';
import { API_KEY_STATUSES, type ApiKey, type ApiKeyStatus } from './api-key.ts';
import type { ApiKeyStore } from './api-keys.ts';

export interface ListedKeys {
  readonly items: readonly ApiKey[];
  /** '' after the last page. */
  readonly next: string;
}

export interface KeysAsked {
  readonly tenantId: TenantId;
  /** '' = all. */
  readonly status: string;
  /** '' = all. */
  readonly ownerId: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

const isStatus = (text: string): text is ApiKeyStatus | '' => text === '' || (API_KEY_STATUSES as readonly string[]).includes(text);

export const listApiKeys =
  ({ db, pager, keys }: { readonly db: Pick<Database, 'tenant'>; readonly pager: Pager; readonly keys: Pick<ApiKeyStore, 'page'> }) =>
  async ({ tenantId, status, ownerId, pageSize: asked, pageToken }: KeysAsked): Promise<ListedKeys> => {
    if (!isStatus(status)) throw badField('status', `must be one of ${API_KEY_STATUSES.join(', ')}`);
    const size = pageSize(asked);
    const query = ['api-keys', tenantId, status, ownerId];
    const after = pager.open(query, pageToken);
    const rows = await db.tenant(tenantId, (tx) => keys.page(tx, tenantId, { status, ownerId }, after, size + 1));
    const items = rows.slice(0, size);
    const last = items.at(-1);
    return { items, next: rows.length > size && last !== undefined ? pager.seal(query, last.keyId) : '' };
  };
