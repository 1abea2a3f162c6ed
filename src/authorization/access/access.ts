// Door of data access: the rows somebody may act on as a filter, the same as SQL, and the masks of their fields.
import type { TenantId } from '../../base/caller.ts';
import type { Filter } from '../condition/filter.ts';
import { type Columns, renderSql } from '../condition/sql.ts';
import type { Limits } from '../limits.ts';
import type { Rights } from '../rights.ts';
import type { Ruling } from '../ruling.ts';
import type { Situation } from '../situation.ts';
import { type FieldMask, masksOf } from './mask.ts';
import type { RowQuestion } from './row.ts';
import { accessTo, type LeftOut } from './rows.ts';

export interface SqlFilter {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** A mask with the key of its hash; null for every other kind, and for whoever could try values with it. */
export interface KeyedMask extends FieldMask {
  readonly hashKey: Uint8Array | null;
}

export interface DataAccess {
  readonly ruling: Ruling;
  /** False for every row where the ruling does not allow. */
  readonly filter: Filter;
  readonly leftOut: readonly LeftOut[];
  readonly masks: readonly KeyedMask[];
  /** null where no columns were named. */
  readonly sql: SqlFilter | null;
}

export interface AccessWish {
  /** Empty = all. */
  readonly fields: readonly string[];
  /** null = no SQL. Names every attribute that the question says rows have. */
  readonly columns: Columns | null;
}

/** The same 32 bytes at all times, so that hashes made on different days can be compared. */
export type MaskKey = (tenantId: TenantId, type: string, field: string) => Uint8Array;

/** Pure, on rights already here; takes what conditions take, so it is nothing for the path of every request. */
export type Access = (rights: Rights, limits: Limits, question: RowQuestion, situation: Situation, wish: AccessWish) => DataAccess;

const sqlOf = (filter: Filter, columns: Columns): SqlFilter => {
  const rendered = renderSql(filter, columns);
  if (!rendered.ok) throw new Error(`a filter reads ${rendered.missing.join(', ')}, which no row was said to have`);
  return { sql: rendered.sql, parameters: rendered.parameters };
};

export const createAccess =
  (maskKey: MaskKey): Access =>
  (rights, limits, question, situation, { fields, columns }) => {
    const { filter, ruling, leftOut } = accessTo(rights, limits, question, situation);
    const masks = ruling.allowed ? masksOf(rights, limits, question, fields, situation) : [];
    return {
      ruling,
      filter,
      leftOut,
      masks: masks.map((one) => ({
        ...one,
        hashKey: one.mask === 'hash' && question.believed ? maskKey(rights.snapshot.tenantId, question.type, one.field) : null,
      })),
      sql: columns === null ? null : sqlOf(filter, columns),
    };
  };
