// A row before anybody has seen it: what is known of all rows alike, and what each row says for itself.
import { typesOf } from '../attribute.ts';
import { isAbout } from '../evaluate.ts';
import { and, call, FALSE, type Filter, isTrue, or, TRUE } from '../condition/filter.ts';
import type { Question, ResourceRef } from '../question.ts';
import type { ResourceType } from '../resource-type.ts';

/** What a row lies in: the one thing for all rows, or what each row names in an attribute. */
export interface RowParent extends ResourceRef {
  /** '' = all rows lie in `id`. */
  readonly attribute: string;
}

/** What is asked about rows: a question whose blanks the rows fill in. */
export interface RowQuestion {
  readonly type: string;
  readonly action: string;
  /** '' = each row says so in `tenant_id`. */
  readonly tenantId: string;
  /** '' = each row may say so in `classification`. */
  readonly classification: string;
  /** Nearest first. */
  readonly parents: readonly RowParent[];
  /** Whoever is not believed can make rows more secret and name parents that are denied, nothing else. */
  readonly believed: boolean;
  /** The attributes that rows have; null = all that can be asked for. */
  readonly attributes: ReadonlySet<string> | null;
}

/** Attributes that every type has; texts, and '' rather than missing where a row has none. */
const OWN = ['id', 'tenant_id', 'owner_id', 'classification'] as const;
type Own = (typeof OWN)[number];

export const attribute = (name: string): Filter => ({ kind: 'attribute', type: 'string', list: false, name });
const text = (value: string): Filter => ({ kind: 'constant', type: 'string', list: false, value });
const texts = (value: readonly string[]): Filter => ({ kind: 'constant', type: 'string', list: true, value });
export const isOneOf = (item: Filter, values: readonly string[]): Filter => {
  const [only] = values;
  if (only === undefined) return FALSE;
  return values.length === 1 ? call('eq', 'bool', item, text(only)) : call('in', 'bool', item, texts(values));
};

export interface Row {
  readonly question: RowQuestion;
  /** What is known of all rows. */
  readonly bare: Question;
  /** Do rows say it, and is it believed? */
  has(name: Own): boolean;
  /** Fields of `resource` that conditions find in the question and not in the row. */
  readonly known: readonly string[];
  /** Where a rule for that resource ('' = all of the type) is about the row. */
  about(resourceId: string, fits: (type: string) => boolean): Filter;
  /** Where the row, or what it lies in, is one of those by type. */
  among(idsOf: (type: string) => readonly string[]): Filter;
  /** The first attribute that the filter takes for something else than the type declares; null = there is none. */
  mistaken(filter: Filter): string | null;
  /** The same row to rules that allow: parents that nobody vouches for give nothing. */
  readonly forAllows: Row;
}

const isMissing = (name: string): boolean => name === 'owner_id' || name === 'classification';

export const createRow = (question: RowQuestion, type: ResourceType | undefined): Row => {
  const declared = typesOf(type?.attributes ?? {});
  const { attributes, believed, parents } = question;
  const said = (name: string): boolean => attributes === null || attributes.has(name);
  const has = (name: Own): boolean => {
    if (name === 'tenant_id') return question.tenantId === '';
    if (name === 'classification') return question.classification === '' && said(name);
    return said(name) && (name === 'id' || believed);
  };
  const own = OWN.filter((name) => name === 'tenant_id' || !has(name));
  const others = Object.keys(declared).filter((name) => !believed || !said(name));
  /** Decided where it is one thing for all rows. */
  const isIn = (parent: RowParent, ids: readonly string[]): Filter => {
    const named = attribute(parent.attribute);
    // A row that names none lies in none.
    if (parent.attribute !== '') return ids.length === 0 ? FALSE : and(call('is_present', 'bool', named), isOneOf(named, ids));
    return ids.includes(parent.id) ? TRUE : FALSE;
  };
  const bare: Question = {
    type: question.type,
    action: question.action,
    resourceId: '',
    resourceTenantId: '',
    ownerId: '',
    classification: question.classification,
    parents: [],
    believed,
  };
  const row: Row = {
    question,
    bare,
    has,
    known: ['type', ...own, ...others],
    about(resourceId, fits) {
      if (resourceId === '') return isAbout('', fits, bare) ? TRUE : FALSE;
      const self = has('id') && fits(question.type) ? isOneOf(attribute('id'), [resourceId]) : FALSE;
      return or(self, ...parents.filter((parent) => fits(parent.type)).map((parent) => isIn(parent, [resourceId])));
    },
    among(idsOf) {
      const self = has('id') ? isOneOf(attribute('id'), idsOf(question.type)) : FALSE;
      return or(self, ...parents.map((parent) => isIn(parent, idsOf(parent.type))));
    },
    mistaken(filter) {
      if (filter.kind === 'call') return filter.operands.map(row.mistaken).find((name) => name !== null) ?? null;
      if (filter.kind !== 'attribute' || (OWN as readonly string[]).includes(filter.name)) return null;
      const found = declared[filter.name];
      const item = found?.kind === 'list' ? found.of : found;
      return item?.kind === filter.type && (found?.kind === 'list') === filter.list ? null : filter.name;
    },
    get forAllows() {
      return believed || parents.length === 0 ? row : createRow({ ...question, parents: [] }, type);
    },
  };
  return row;
};

/**
 * A row without an owner or a classification has an empty one, as a check that names none: where NULL would come out otherwise, the
 * filter says so. `positive`: only true matters.
 */
export const withBlanks = (filter: Filter, positive: boolean): Filter => {
  if (filter.kind === 'attribute')
    return isMissing(filter.name) ? call('if', 'string', call('is_present', 'bool', filter), filter, text('')) : filter;
  if (filter.kind !== 'call') return filter;
  const { operator, operands } = filter;
  const [first, second] = operands;
  if (operator === 'is_present') return first?.kind === 'attribute' && isMissing(first.name) ? TRUE : filter;
  if (positive && (operator === 'eq' || operator === 'in') && first?.kind === 'attribute' && second?.kind === 'constant')
    if (![second.value].flat().includes('')) return filter;
  const through = positive && (operator === 'and' || operator === 'or');
  const inner = operands.map((one) => withBlanks(one, through));
  if (operator === 'and') return and(...inner);
  if (operator === 'or') return or(...inner);
  return inner.every((one, at) => one === operands[at]) ? filter : { ...filter, operands: inner };
};

export const findsNothing = (filter: Filter): boolean => filter.kind === 'unknown' || (filter.kind === 'constant' && !isTrue(filter));
