// Which fields of the rows are hidden, and how: by the masks of policies, and by permissions on fields that are types of their own.
import { askedOf } from '../conditional.ts';
import { type Condition, residualOfCondition } from '../condition/condition.ts';
import { FALSE, type Filter, isFalse, isFalseFor, isTrue, not, TRUE } from '../condition/filter.ts';
import { unpackCondition } from '../condition/packed.ts';
import type { Limits } from '../limits.ts';
import type { MaskKind } from '../policy/document.ts';
import type { CompiledMask } from '../policy/policy-index.ts';
import type { Rights } from '../rights.ts';
import type { Situation } from '../situation.ts';
import { createRow, type Row, type RowQuestion, withBlanks } from './row.ts';
import { accessTo } from './rows.ts';

export interface FieldMask {
  readonly field: string;
  readonly mask: MaskKind;
  /** `policy:<layer>/<name>@<version>/mask:<field>`, or what refuses the field. */
  readonly rule: string;
  /** The rows in which it is masked; TRUE = all. */
  readonly rows: Filter;
}

/** What tells less comes first. */
const STRICTEST: readonly MaskKind[] = ['null', 'full', 'hash', 'partial'];

const readable = (packed: CompiledMask['condition']): Condition | null => {
  try {
    return packed === null ? null : unpackCondition(packed);
  } catch {
    return null;
  }
};

/** Masked where the condition holds, where it has no value, and everywhere where no filter can say it. */
const maskedRows = ({ mask, condition: packed }: CompiledMask, rights: Rights, row: Row, situation: Situation): Filter => {
  if (mask.exceptRoles.some((role) => rights.roles.includes(role))) return FALSE;
  if (mask.condition === '') return TRUE;
  const condition = readable(packed);
  if (condition === null) return TRUE;
  const { horizon } = situation;
  if (horizon !== null && condition.usesNow) horizon.until = Math.min(horizon.until, situation.now);
  const { activation } = askedOf(rights, row.bare, situation);
  const residual = residualOfCondition(condition, rights.snapshot.schema(mask.resource), activation, row.known);
  if (!residual.ok || row.mistaken(residual.filter) !== null) return TRUE;
  return not(isFalseFor(withBlanks(residual.filter, false)));
};

/**
 * A field that is a resource type of its own, `<type>.<field>`, is shown to whoever may do the same with it: roles, grants, policies,
 * and how secret the field is, count as for any other resource.
 */
const fieldRows = (rights: Rights, limits: Limits, question: RowQuestion, type: string, situation: Situation): FieldMask | null => {
  const field = type.slice(question.type.length + 1);
  const said = question.attributes === null || question.attributes.has('id');
  const inRow = said && rights.snapshot.type(type)?.parentTypes.includes(question.type) === true;
  const parents = inRow ? [{ type: question.type, id: '', attribute: 'id' }, ...question.parents] : question.parents;
  // Whose the row is and how secret it is has been weighed; here the field counts.
  const classification = rights.snapshot.type(type)?.defaultClassification || 'internal';
  const { filter, ruling } = accessTo(
    rights,
    limits,
    { ...question, type, classification, parents, tenantId: rights.snapshot.tenantId },
    situation,
  );
  if (isTrue(filter)) return null;
  return { field, mask: 'null', rule: ruling.allowed ? type : (ruling.rules[0] ?? type), rows: not(isFalseFor(not(filter))) };
};

/** Of the fields asked for, or of all; for each one what tells least first, and nothing that a stricter mask on all rows makes idle. */
export const masksOf = (
  rights: Rights,
  limits: Limits,
  question: RowQuestion,
  fields: readonly string[],
  situation: Situation,
): readonly FieldMask[] => {
  const { snapshot } = rights;
  const row = createRow(question, snapshot.type(question.type));
  const wanted = (field: string): boolean => fields.length === 0 || fields.includes(field);
  const prefix = `${question.type}.`;
  const types = snapshot.types.map(({ name }) => name).filter((name) => name.startsWith(prefix) && wanted(name.slice(prefix.length)));
  const all = [
    ...types.flatMap((type) => fieldRows(rights, limits, question, type, situation) ?? []),
    ...(snapshot.policies?.masks(question) ?? [])
      .filter(({ mask }) => wanted(mask.field))
      .map((one) => ({
        field: one.mask.field,
        mask: one.mask.mask,
        rule: one.rule,
        rows: maskedRows(one, rights, row, situation),
      })),
  ]
    .filter(({ rows }) => !isFalse(rows))
    .toSorted((a, b) => STRICTEST.indexOf(a.mask) - STRICTEST.indexOf(b.mask));
  const first = new Map<string, FieldMask>();
  for (const mask of all) if (isTrue(mask.rows) && !first.has(mask.field)) first.set(mask.field, mask);
  const rank = (mask: FieldMask): number => STRICTEST.indexOf(mask.mask);
  return all
    .filter((mask) => {
      const whole = first.get(mask.field);
      return whole === undefined || whole === mask || (!isTrue(mask.rows) && rank(mask) < rank(whole));
    })
    .toSorted((a, b) => (a.field < b.field ? -1 : a.field > b.field ? 1 : rank(a) - rank(b)));
};
