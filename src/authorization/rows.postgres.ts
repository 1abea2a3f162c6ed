// What the edges of the rules share: whose row it is, keyset pages.
import type { TenantId } from '../base/caller.ts';
import type { Subject } from './subject.ts';
import type { Page } from './stores.ts';

export const own = (tenantId: TenantId, subject: Subject) => ({ tenant_id: tenantId, subject_type: subject.type, subject_id: subject.id });

/** Keyset pages by the primary key behind the tenant: `after` is the last row's key as JSON. */
export const pageOf = <R, T>(rows: readonly R[], size: number, keyOf: (row: R) => readonly string[], map: (row: R) => T): Page<T> => {
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return { items: shown.map(map), after: rows.length > size && last !== undefined ? JSON.stringify(keyOf(last)) : '' };
};

export const keyFrom = (after: string): readonly string[] => (after === '' ? [] : (JSON.parse(after) as readonly string[]));
