// The functions of the language: what each takes and gives. A leading dot is a method: its target is the first parameter.
import { BOOL, BYTES, DOUBLE, DURATION, DYN, INT, listOf, mapOf, STRING, TIMESTAMP, type Type } from './type.ts';

export interface Overload {
  /** `add_int`: names the implementation. */
  readonly id: string;
  readonly params: readonly Type[];
  readonly result: Type;
}

const LIST = listOf(DYN);
const MAP = mapOf(DYN, DYN);

const overload = (id: string, params: readonly Type[], result: Type): Overload => ({ id, params, result });

const ordered: readonly (readonly [string, Type, Type])[] = [
  ['bool', BOOL, BOOL],
  ['int', INT, INT],
  ['double', DOUBLE, DOUBLE],
  ['int_double', INT, DOUBLE],
  ['double_int', DOUBLE, INT],
  ['string', STRING, STRING],
  ['bytes', BYTES, BYTES],
  ['timestamp', TIMESTAMP, TIMESTAMP],
  ['duration', DURATION, DURATION],
];

const comparison = (name: string): readonly Overload[] => ordered.map(([id, a, b]) => overload(`${name}_${id}`, [a, b], BOOL));
const arithmetic = (name: string, ...types: readonly Type[]): readonly Overload[] =>
  types.map((type) => overload(`${name}_${type.kind}`, [type, type], type));
const conversion = (to: Type, ...from: readonly Type[]): readonly Overload[] =>
  from.map((type) => overload(`${to.kind}_of_${type.kind}`, [type], to));
const sizes: readonly Overload[] = [STRING, BYTES, LIST, MAP].map((type) => overload(`size_${type.kind}`, [type], INT));

const calendar = (name: string, ofDuration = false): readonly [string, readonly Overload[]] => [
  `.${name}`,
  [
    overload(name, [TIMESTAMP], INT),
    overload(`${name}_zone`, [TIMESTAMP, STRING], INT),
    ...(ofDuration ? [overload(`${name}_duration`, [DURATION], INT)] : []),
  ],
];

export const FUNCTIONS: ReadonlyMap<string, readonly Overload[]> = new Map<string, readonly Overload[]>([
  ['-_', [overload('negate_int', [INT], INT), overload('negate_double', [DOUBLE], DOUBLE)]],
  [
    '_+_',
    [
      ...arithmetic('add', INT, DOUBLE, STRING, BYTES, DURATION),
      overload('add_list', [LIST, LIST], LIST),
      overload('add_timestamp_duration', [TIMESTAMP, DURATION], TIMESTAMP),
      overload('add_duration_timestamp', [DURATION, TIMESTAMP], TIMESTAMP),
    ],
  ],
  [
    '_-_',
    [
      ...arithmetic('subtract', INT, DOUBLE, DURATION),
      overload('subtract_timestamp', [TIMESTAMP, TIMESTAMP], DURATION),
      overload('subtract_timestamp_duration', [TIMESTAMP, DURATION], TIMESTAMP),
    ],
  ],
  ['_*_', arithmetic('multiply', INT, DOUBLE)],
  ['_/_', arithmetic('divide', INT, DOUBLE)],
  ['_%_', arithmetic('modulo', INT)],
  ['_<_', comparison('less')],
  ['_<=_', comparison('less_equal')],
  ['_>_', comparison('greater')],
  ['_>=_', comparison('greater_equal')],
  ['size', sizes],
  ['.size', sizes],
  ['.contains', [overload('contains', [STRING, STRING], BOOL)]],
  ['.startsWith', [overload('starts_with', [STRING, STRING], BOOL)]],
  ['.endsWith', [overload('ends_with', [STRING, STRING], BOOL)]],
  ['.matches', [overload('matches', [STRING, STRING], BOOL)]],
  ['matches', [overload('matches', [STRING, STRING], BOOL)]],
  ['int', conversion(INT, INT, DOUBLE, STRING, TIMESTAMP, DURATION)],
  ['double', conversion(DOUBLE, DOUBLE, INT, STRING)],
  ['string', conversion(STRING, STRING, BOOL, INT, DOUBLE, BYTES, TIMESTAMP, DURATION)],
  ['bool', conversion(BOOL, BOOL, STRING)],
  ['bytes', conversion(BYTES, BYTES, STRING)],
  ['timestamp', conversion(TIMESTAMP, TIMESTAMP, STRING, INT)],
  ['duration', conversion(DURATION, DURATION, STRING, INT)],
  calendar('getFullYear'),
  calendar('getMonth'),
  calendar('getDate'),
  calendar('getDayOfMonth'),
  calendar('getDayOfWeek'),
  calendar('getDayOfYear'),
  calendar('getHours', true),
  calendar('getMinutes', true),
  calendar('getSeconds', true),
  calendar('getMilliseconds', true),
]);
