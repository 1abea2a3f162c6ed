// Row filters and masks of EnforceDataAccess, put to use: a filter as SQL for one's own columns, a row with its fields masked.
import { createHmac } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import type { EnforceDataAccessResponse } from '../gen/securityhub/v1/authorization.ts';
import { type FieldMask, MaskType, type RowFilter } from '../gen/securityhub/v1/data_access.ts';
import { FALSE, type Filter, type FilterType, OPERATORS, type Operator, TYPES } from '../authorization/condition/filter.ts';
import { type Columns, renderSql, type RenderOptions } from '../authorization/condition/sql.ts';

export type { Columns } from '../authorization/condition/sql.ts';

export interface SqlCondition {
  /** For WHERE; true for exactly the rows that pass. Parameters are `$1`, `$2`, … */
  readonly text: string;
  readonly parameters: readonly unknown[];
}

/** What is of no shape that we know lets no row pass, wherever in the tree it stands. */
const isType = (type: string): type is FilterType => (TYPES as readonly string[]).includes(type);
const isOperator = (name: string): name is Operator => (OPERATORS as readonly string[]).includes(name);

const strange = (what: string): Fault =>
  new Fault('FAILED_PRECONDITION', 'ROW_FILTER_UNKNOWN', `the row filter holds ${what}, which this client does not know; update it`);

const typeOf = (type: string): FilterType => {
  if (!isType(type)) throw strange(`the type "${type}"`);
  return type;
};

const filterFrom = ({ node }: RowFilter): Filter => {
  switch (node?.$case) {
    case 'constant': {
      const { type, list, value } = node.value;
      return { kind: 'constant', type: typeOf(type), list, value };
    }
    case 'unknown':
      return { kind: 'unknown', type: typeOf(node.value.type) };
    case 'attribute': {
      const { name, type, list, values } = node.value;
      return { kind: 'attribute', name, type: typeOf(type), list, ...(values.length === 0 ? {} : { values }) };
    }
    case 'element':
      return { kind: 'element', type: typeOf(node.value.type), depth: node.value.depth };
    case 'call': {
      const { operator, type, operands } = node.value;
      if (!isOperator(operator)) throw strange(`the operator "${operator}"`);
      return { kind: 'call', operator, type: typeOf(type), operands: operands.map(filterFrom) };
    }
    default:
      throw strange('a node of another kind');
  }
};

/**
 * A row filter as SQL for Postgres. `columns` says where each attribute stands: a column's name, dotted after its table's alias, or
 * `{ sql }` of one's own. An answer without a filter lets no row pass.
 * @throws Fault INVALID_ARGUMENT / ROW_FILTER_COLUMNS names the attributes without a column; FAILED_PRECONDITION / ROW_FILTER_UNKNOWN
 */
export const rowFilterSql = (
  { rowFilter }: Pick<EnforceDataAccessResponse, 'rowFilter'>,
  columns: Columns,
  options: RenderOptions = {},
): SqlCondition => {
  const rendered = renderSql(rowFilter === undefined ? FALSE : filterFrom(rowFilter), columns, options);
  if (rendered.ok) return { text: rendered.sql, parameters: rendered.parameters };
  const names = rendered.missing.map((name) => name.replace(/^resource\./, '')).join(', ');
  throw new Fault('INVALID_ARGUMENT', 'ROW_FILTER_COLUMNS', `no column for ${names}; name one, or { sql: 'NULL' } where no row has it`);
};

const FULL = '********';
const HIDDEN = 4;

const textOf = (value: unknown): string => {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'string') return value;
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
};

const partial = (text: string): string => {
  const letters = Array.from(text);
  return letters.length < 2 * HIDDEN ? '*'.repeat(letters.length) : '*'.repeat(letters.length - HIDDEN) + letters.slice(-HIDDEN).join('');
};

/** A value as the mask leaves it. No value stays none. A mask that is not known, or lacks its key, shows nothing. */
export const maskValue = ({ type, hashKey }: Pick<FieldMask, 'type' | 'hashKey'>, value: unknown): unknown => {
  if (value === null || value === undefined) return value;
  switch (type) {
    case MaskType.MASK_TYPE_FULL:
      return FULL;
    case MaskType.MASK_TYPE_PARTIAL:
      return partial(textOf(value));
    case MaskType.MASK_TYPE_HASH:
      return hashKey.length === 0 ? FULL : createHmac('sha256', hashKey).update(textOf(value)).digest('hex');
    default:
      return null;
  }
};

/**
 * The row with its fields masked. A mask of some rows counts for all, unless `applies` says otherwise: ask the database with
 * `rowFilterSql({ rowFilter: mask.rows }, columns)`.
 */
export const maskRow = <R extends Readonly<Record<string, unknown>>>(
  { masks }: Pick<EnforceDataAccessResponse, 'masks'>,
  row: R,
  applies: (mask: FieldMask, row: R) => boolean = () => true,
): { readonly [K in keyof R]: unknown } => {
  const masked: Record<string, unknown> = { ...row };
  const done = new Set<string>();
  for (const mask of masks) {
    if (done.has(mask.field) || !Object.hasOwn(row, mask.field)) continue;
    if (mask.rows !== undefined && !applies(mask, row)) continue;
    masked[mask.field] = maskValue(mask, row[mask.field]);
    done.add(mask.field);
  }
  return masked as { readonly [K in keyof R]: unknown };
};
