// Names people and things go by: one spelling for each, so that no two accounts look alike to the database and different to a reader.
import { badField } from '../base/fault.ts';

/**
 * The form under which a login name is stored and found: compatibility-composed and lower case (Unicode NFKC, UAX #15 §1.1).
 * Lower-casing can decompose (İ), hence the second pass.
 */
export const nameKey = (name: string): string => name.normalize('NFKC').toLowerCase().normalize('NFKC');

const USERNAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._+@-]{0,127}$/u;
// Deliberately lax (RFC 5321 §4.5.3.1 bounds only): an address is proven by mail, not by a pattern.
const EMAIL = /^[^\s@<>"(),:;[\]\\\p{C}]{1,64}@[^\s@<>"(),:;[\]\\\p{C}]{1,189}$/u;
// RFC 1123 label: what Kubernetes accepts as a namespace, and what stands in a SPIFFE path without escaping.
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const isLabel = (text: string): boolean => LABEL.test(text);

/** The label itself; INVALID_ARGUMENT that names the field otherwise. */
export const label = (field: string, text: string): string => {
  if (isLabel(text)) return text;
  throw badField(field, 'must be 1 to 63 lower-case letters, digits and inner hyphens');
};

/** A name with '@' could be taken for somebody else's e-mail address at login, so it must be the account's own. */
export const username = (text: string, email: string): string => {
  const name = text.normalize('NFKC');
  if (!USERNAME.test(name)) throw badField('username', 'must be 1 to 128 letters, digits and . _ + -, beginning with a letter or digit');
  if (name.includes('@') && nameKey(name) !== nameKey(email))
    throw badField('username', 'with an @ must be the e-mail address of the account');
  return name;
};

/** '' stays ''. */
export const emailAddress = (text: string): string => {
  const address = text.normalize('NFKC');
  if (address === '' || EMAIL.test(address)) return address;
  throw badField('email', 'must be an e-mail address');
};
