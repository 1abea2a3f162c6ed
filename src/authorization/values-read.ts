// What conditions found where they looked: for whoever wants to know which value decided, and what it would have to be.
import type { Activation } from './condition/condition.ts';

const OWN_FIELDS: readonly string[] = ['type', 'id', 'tenant_id', 'owner_id', 'classification'];
/** Values that are told of one rule, and letters of each. */
const TOLD = 8;
const LETTERS = 100;

const own = (of: unknown, name: string): unknown =>
  typeof of === 'object' && of !== null && Object.hasOwn(of, name) ? (of as Readonly<Record<string, unknown>>)[name] : undefined;

const valueAt = (path: string, activation: Activation): unknown => {
  const [root = '', ...names] = path.split('.');
  const [first = ''] = names;
  const from = root === 'resource' && !OWN_FIELDS.includes(first) ? own(activation.resource, 'attributes') : own(activation, root);
  return names.reduce(own, from);
};

const printed = (value: unknown): string => {
  const text = JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}` : one));
  return text.length <= LETTERS ? text : `${text.slice(0, LETTERS)}…`;
};

/** `resource.amount is 5000, context.country is not there`; '' where nothing but the time is read. */
const valuesRead = (paths: readonly string[], activation: Activation): string =>
  paths
    .filter((path) => path !== 'now')
    .slice(0, TOLD)
    .map((path) => {
      const value = valueAt(path, activation);
      return `${path} is ${value === undefined || value === null ? 'not there' : printed(value)}`;
    })
    .join(', ');

/** The conditions of a rule with what they found; '' where there are none. */
export const conditionWords = (sources: readonly string[], paths: readonly string[], activation: () => Activation): string => {
  if (sources.length === 0) return '';
  const values = valuesRead(paths, activation());
  return `; condition ${sources.join(' and ')}${values === '' ? '' : `, where ${values}`}`;
};
