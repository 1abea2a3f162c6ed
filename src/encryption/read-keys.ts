// Shows keys without their material.
import { pageSize } from '../base/page.ts';
import type { Encryption, EncryptionDeps } from './encryption.ts';
import { notFound } from './said.ts';

export const findKey =
  ({ store }: Pick<EncryptionDeps, 'store'>): Encryption['getKey'] =>
  async (tenantId, named) => {
    const key = await store.find(tenantId, named);
    if (key === null) throw notFound();
    return key;
  };

export const listKeys =
  ({ store, pager }: Pick<EncryptionDeps, 'store' | 'pager'>): Encryption['listKeys'] =>
  async (tenantId, status, requested, pageToken) => {
    const query = { tenantId, status, list: 'encryption_key' };
    const limit = pageSize(requested);
    const found = await store.list(tenantId, status, pager.open(query, pageToken), limit + 1);
    const keys = found.slice(0, limit);
    const last = keys.at(-1);
    return { keys, nextPageToken: found.length > limit && last !== undefined ? pager.seal(query, last.name) : '' };
  };
