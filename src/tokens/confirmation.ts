// The `cnf` claim (RFC 7800): its members as tokens and rows carry them.
import type { Confirmation, Shown } from '../base/possession.ts';
import { type JsonObject, member } from './strict-json.ts';

/** RFC 8705 §3.1, RFC 9449 §6.1; the other two are ours. */
const NAMES = { x5tS256: 'x5t#S256', spkiSha256: 'spki_sha256', spiffeId: 'spiffe_id', jkt: 'jkt' } as const;

type Printed = Readonly<Record<string, string>>;

const printed = (values: Readonly<Record<keyof typeof NAMES, string>>): Printed =>
  Object.fromEntries(
    Object.entries(NAMES).flatMap(([field, name]) => {
      const value = values[field as keyof typeof NAMES];
      return value === '' ? [] : [[name, value]];
    }),
  );

/** The members that say something. */
export const printConfirmation = (confirmation: Confirmation): Printed => printed(confirmation);

/** Everything shown, in the same words: a confirmation is met when it is contained in it. */
export const printShown = ({ certificate, spki, spiffeId, jkt }: Shown): Printed =>
  printed({ x5tS256: certificate, spkiSha256: spki, spiffeId, jkt });

/** Of an object; unknown members make the binding one that we cannot check, which a verdict must refuse. */
export const readConfirmation = (cnf: JsonObject): Confirmation => {
  const text = (name: string): string => (typeof member(cnf, name) === 'string' ? (member(cnf, name) as string) : '');
  const known: readonly string[] = Object.values(NAMES);
  return {
    x5tS256: text(NAMES.x5tS256),
    spkiSha256: text(NAMES.spkiSha256),
    spiffeId: text(NAMES.spiffeId),
    jkt: text(NAMES.jkt),
    other: Object.keys(cnf).length === 0 || Object.keys(cnf).some((name) => !known.includes(name) || text(name) === ''),
  };
};
