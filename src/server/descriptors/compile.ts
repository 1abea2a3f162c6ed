// Compiles the buf.validate rules of a message into a checker over the object that ts-proto decodes. Pure.
import { type DescField, type DescMessage, type DescOneof, getOption, isFieldSet, type Message, ScalarType } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import type { FieldRules, MapRules, RepeatedRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js';
import { both, type Checker, PASS, rule, where } from './checker.ts';
import { isDuration, isTimestamp } from './moments.ts';
import type { Descriptors } from './registry.ts';
import { type Rules, scalarChecker } from './scalars.ts';
import { STRUCT_DEPTH, shallow } from './struct.ts';

type Decoded = Readonly<Record<string, unknown>>;

// buf.validate.Ignore
const IF_ZERO_VALUE = 1;
const ALWAYS = 3;

const STRUCTS = ['google.protobuf.Struct', 'google.protobuf.Value', 'google.protobuf.ListValue'];
const struct = rule<unknown>((value) => shallow(value), `must not be nested deeper than ${STRUCT_DEPTH}`);

/** What is bounded by what it is, whatever the rules of its field. */
const BY_NATURE: ReadonlyMap<string, Checker> = new Map<string, Checker>([
  ...STRUCTS.map((name) => [name, struct] as const),
  ['google.protobuf.Timestamp', rule(isTimestamp as Checker['ok'], 'must be a time from year 1 to 9999 with 0 to 999,999,999 nanos')],
  ['google.protobuf.Duration', rule(isDuration as Checker['ok'], 'must be of 10,000 years at most, seconds and nanos with one sign')],
]);

const filled = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return value !== '' && value !== 0 && value !== false && value !== undefined;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return (value as unknown as ArrayLike<unknown>).length > 0;
  return Object.keys(value).length > 0;
};

const present = (value: unknown): boolean => value !== undefined;

const below = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** Answers the checker of a message; throws at a rule that has no checker here, naming the field: found at start and by tests. */
export const createCompiler = ({ registry }: Descriptors): ((message: DescMessage) => Checker) => {
  const extension = (name: string) => {
    const found = registry.getExtension(`buf.validate.${name}`);
    if (found === undefined) throw new Error(`the descriptor set lacks buf.validate.${name}`);
    return found;
  };
  const [fieldOption, messageOption, oneofOption] = [extension('field'), extension('message'), extension('oneof')];
  const rulesOf = (field: DescField): FieldRules => getOption(field, fieldOption) as unknown as FieldRules;
  const isSet = (rules: Message | undefined, name: string): boolean => {
    const field = rules === undefined ? undefined : registry.getMessage(rules.$typeName)?.field[name];
    return rules !== undefined && field !== undefined && isFieldSet(rules, field);
  };

  /** The set members of a rule message, a oneof as its set member. */
  const entries = (rules: Message): Rules => {
    const holder = rules as unknown as Record<string, unknown>;
    const fields = registry.getMessage(rules.$typeName)?.fields ?? [];
    const set = fields.filter((field) => isFieldSet(rules, field));
    const known = set.map((field): Rules[number] => {
      const value = field.oneof === undefined ? holder[field.localName] : (holder[field.oneof.localName] as { value: unknown }).value;
      return [field.localName, value];
    });
    return (rules.$unknown?.length ?? 0) > 0 ? [...known, ['a predefined rule', null]] : known;
  };

  const uncompiled = (field: DescField, what: string): Error => new Error(`${field.toString()}: ${what} cannot be compiled`);

  /** What holds for one value of the field's type, be it alone, in a list or in a map. */
  const valueChecker = (field: DescField, message: DescMessage | undefined, rules: FieldRules | undefined): Checker => {
    if (rules !== undefined && rules.cel.length + rules.celExpression.length > 0) throw uncompiled(field, 'CEL');
    const inner = message === undefined ? PASS : messageChecker(message);
    if (rules?.type.case === undefined) return inner;
    const { case: kind, value } = rules.type;
    const own = scalarChecker(kind, entries(value));
    if (own === null) throw uncompiled(field, `a rule in ${kind}`);
    const numbers = new Set(kind === 'enum' && value.definedOnly ? field.enum?.values.map(({ number }) => number) : []);
    const defined = numbers.size === 0 ? PASS : rule<unknown>((given) => numbers.has(given as number), 'must be one of the defined values');
    return both([inner, own, defined]);
  };

  const unlessIgnored = (checker: Checker, ignore: number | undefined): Checker => {
    if (ignore === ALWAYS) return PASS;
    return ignore === IF_ZERO_VALUE ? where(filled, checker) : checker;
  };

  const sizeChecker = (size: (value: unknown) => number, min: bigint | undefined, max: bigint | undefined, what: string): Checker =>
    both([
      min === undefined ? PASS : rule<unknown>((value) => size(value) >= min, `must have at least ${min} ${what}`),
      max === undefined ? PASS : rule<unknown>((value) => size(value) <= max, `must have at most ${max} ${what}`),
    ]);

  const listChecker = (field: DescField & { fieldKind: 'list' }, rules: RepeatedRules | undefined): Checker => {
    const item = unlessIgnored(valueChecker(field, field.message, rules?.items), rules?.items?.ignore);
    const size = (value: unknown): number => (value as readonly unknown[]).length;
    const sized = sizeChecker(
      size,
      isSet(rules, 'minItems') ? rules?.minItems : undefined,
      isSet(rules, 'maxItems') ? rules?.maxItems : undefined,
      'items',
    );
    if (rules?.unique === true && (field.listKind === 'message' || field.scalar === ScalarType.BYTES)) throw uncompiled(field, 'unique');
    const unique =
      rules?.unique === true
        ? rule<unknown>((value) => new Set(value as readonly unknown[]).size === size(value), 'must not hold anything twice')
        : PASS;
    const items: Checker = {
      ok: (value) => {
        for (const one of value as readonly unknown[]) if (!item.ok(one)) return false;
        return true;
      },
      explain: (value, path, say) => (value as readonly unknown[]).forEach((one, at) => item.explain(one, `${path}[${at}]`, say)),
    };
    return both([sized, unique, item === PASS ? PASS : items]);
  };

  const mapChecker = (field: DescField & { fieldKind: 'map' }, rules: MapRules | undefined): Checker => {
    const key = unlessIgnored(valueChecker(field, undefined, rules?.keys), rules?.keys?.ignore);
    const value = unlessIgnored(valueChecker(field, field.message, rules?.values), rules?.values?.ignore);
    // ts-proto keeps keys as property names; only text looks the same there.
    if (key !== PASS && field.mapKey !== ScalarType.STRING) throw uncompiled(field, 'a rule of keys that are not strings');
    const size = (map: unknown): number => Object.keys(map as object).length;
    const sized = sizeChecker(
      size,
      isSet(rules, 'minPairs') ? rules?.minPairs : undefined,
      isSet(rules, 'maxPairs') ? rules?.maxPairs : undefined,
      'entries',
    );
    const pairs: Checker = {
      ok: (map) => Object.keys(map as object).every((name) => key.ok(name) && value.ok((map as Decoded)[name])),
      explain: (map, path, say) => {
        for (const [name, one] of Object.entries(map as Decoded)) {
          const place = `${path}[${JSON.stringify(name.slice(0, 64))}]`;
          key.explain(name, place, (at, description) => say(at, `key ${description}`));
          value.explain(one, place, say);
        }
      },
    };
    return both([sized, key === PASS && value === PASS ? PASS : pairs]);
  };

  /** The checker over what stands in the field; undefined stands for "not there". */
  const fieldChecker = (field: DescField): Checker => {
    const rules = rulesOf(field);
    if (rules.ignore === ALWAYS) return PASS;
    const kind = rules.type.case;
    if (rules.cel.length + rules.celExpression.length > 0) throw uncompiled(field, 'CEL');
    const container = field.fieldKind === 'list' || field.fieldKind === 'map';
    const explicit = !container && (field.fieldKind === 'message' || field.presence !== FeatureSet_FieldPresence.IMPLICIT);
    const checker =
      field.fieldKind === 'list'
        ? listChecker(field, kind === 'repeated' ? rules.type.value : undefined)
        : field.fieldKind === 'map'
          ? mapChecker(field, kind === 'map' ? rules.type.value : undefined)
          : valueChecker(field, field.message, rules);
    const there = explicit ? present : filled;
    if (rules.required) return both([rule(there, 'is required'), where(there, checker)]);
    return explicit ? where(present, checker) : unlessIgnored(checker, rules.ignore);
  };

  const oneofChecker = (oneof: DescOneof): Checker<Decoded> => {
    const { required } = getOption(oneof, oneofOption) as unknown as { readonly required: boolean };
    const members = new Map(oneof.fields.map((field) => [field.localName, { name: field.name, checker: fieldChecker(field) }]));
    for (const field of oneof.fields) if (rulesOf(field).required) throw uncompiled(field, 'required inside a oneof');
    const name = oneof.localName;
    const chosen = (message: Decoded) => message[name] as { readonly $case: string; readonly value: unknown } | undefined;
    return {
      ok: (message) => {
        const choice = chosen(message);
        return choice === undefined ? !required : (members.get(choice.$case)?.checker.ok(choice.value) ?? false);
      },
      explain: (message, path, say) => {
        const choice = chosen(message);
        const member = choice === undefined ? undefined : members.get(choice.$case);
        if (choice === undefined && required) say(below(path, oneof.name), 'exactly one of it is required');
        if (choice !== undefined && member !== undefined) member.checker.explain(choice.value, below(path, member.name), say);
      },
    };
  };

  const memberChecker = (field: DescField): Checker<Decoded> => {
    const checker = fieldChecker(field);
    if (checker === PASS) return PASS;
    const { localName, name } = field;
    const { ok, explain } = checker;
    return {
      ok: (message) => ok(message[localName]),
      explain: (message, path, say) => explain(message[localName], below(path, name), say),
    };
  };

  /** How many characters a text may have that is bounded by nothing else; null for every other field. */
  const longest = (field: DescField): number | null => {
    const { type, required, ignore } = rulesOf(field);
    if (field.fieldKind !== 'scalar' || field.oneof !== undefined || field.presence !== FeatureSet_FieldPresence.IMPLICIT) return null;
    if (type.case !== 'string' || required || ignore !== 0) return null;
    const rules = entries(type.value).filter(([name]) => name !== 'example');
    const [[name, most] = []] = rules;
    return rules.length === 1 && name === 'maxLen' ? Number(most) : null;
  };

  const fieldsChecker = (message: DescMessage): Checker => {
    const rules = getOption(message, messageOption) as unknown as Readonly<Record<'cel' | 'celExpression' | 'oneof', readonly unknown[]>>;
    if (rules.cel.length + rules.celExpression.length + rules.oneof.length > 0)
      throw new Error(`${message.toString()}: its own rules cannot be compiled`);
    const members = message.members.map((member) =>
      member.kind === 'oneof'
        ? { checker: oneofChecker(member), name: '', most: null }
        : { checker: memberChecker(member), name: member.localName, most: longest(member) },
    );
    const real = members.map(({ checker }) => checker).filter((checker) => checker !== PASS);
    if (real.length === 0) return PASS;
    const others = members.flatMap(({ checker, most }) => (checker === PASS || most !== null ? [] : [checker.ok]));
    // Most fields are short texts: those that cannot be too long, however their characters are counted, are done in one go.
    const texts = members.flatMap(({ checker, name, most }) => (most === null ? [] : [{ name, most, ok: checker.ok }]));
    return {
      ok: (value) => {
        for (const { name, most, ok } of texts)
          if (((value as Decoded)[name] as string).length > most && !ok(value as Decoded)) return false;
        for (const ok of others) if (!ok(value as Decoded)) return false;
        return true;
      },
      explain: (value, path, say) => {
        for (const checker of real) checker.explain(value as Decoded, path, say);
      },
    };
  };

  const compiled = new Map<string, Checker>();
  const messageChecker = (message: DescMessage): Checker => {
    const natural = BY_NATURE.get(message.typeName);
    if (natural !== undefined) return natural;
    // ts-proto unwraps them to bare values.
    if (/^google\.protobuf\.\w+Value$/.test(message.typeName)) throw new Error(`${message.typeName} cannot be compiled`);
    const known = compiled.get(message.typeName);
    if (known !== undefined) return known;
    // A message may hold itself: until its checker is there, it is looked up when it runs.
    const later = (): Checker => compiled.get(message.typeName) ?? PASS;
    compiled.set(message.typeName, {
      ok: (value) => later().ok(value),
      explain: (value, path, say) => later().explain(value, path, say),
    });
    const checker = fieldsChecker(message);
    compiled.set(message.typeName, checker);
    return checker;
  };
  return messageChecker;
};
