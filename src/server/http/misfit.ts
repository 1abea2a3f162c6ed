// Which part of a JSON body does not fit its message, as a path; asked only once it is known that something does not. Pure.
import { type DescEnum, type DescMessage, fromJson, type JsonValue, type Registry } from '@bufbuild/protobuf';

export const below = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

const fits = (message: DescMessage, value: unknown, registry: Registry): boolean => {
  try {
    fromJson(message, value as JsonValue, { registry });
    return true;
  } catch {
    return false;
  }
};

/** Path of the innermost part that does not fit: a field, an item of a list, or the message itself (`path`) where no part alone is to blame. */
export const misfit = (message: DescMessage, value: unknown, registry: Registry, path = ''): string => {
  if (typeof value !== 'object' || value === null || message.typeName.startsWith('google.protobuf.')) return path;
  for (const [name, part] of Object.entries(value)) {
    const field = message.fields.find((one) => one.jsonName === name || one.name === name);
    if (field === undefined || fits(message, { [name]: part }, registry)) continue;
    const at = below(path, field.name);
    if (field.fieldKind === 'message') return misfit(field.message, part, registry, at);
    if (field.fieldKind !== 'list' || !Array.isArray(part)) return at;
    const index = part.findIndex((item) => !fits(message, { [name]: [item] }, registry));
    if (index === -1) return at;
    return field.message === undefined ? `${at}[${index}]` : misfit(field.message, part[index], registry, `${at}[${index}]`);
  }
  return path;
};

const SENTENCES: Readonly<Record<string, string>> = {
  'google.protobuf.Duration': 'must be seconds and an s, such as "1.5s"',
  'google.protobuf.Timestamp': 'must be a time such as "2026-01-31T12:00:00Z"',
  'google.protobuf.Value': 'is nested too deep, or no JSON value',
};

const namesOf = ({ values }: DescEnum): string => values.map(({ name }) => name).join(', ');

/** What a value of this type looks like. */
export const wanted = (type: string, registry: Registry): string => {
  const known = registry.getEnum(type);
  if (known !== undefined) return `must be one of ${namesOf(known)}`;
  return SENTENCES[type] ?? `must be an object (${type})`;
};
