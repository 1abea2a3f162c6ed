// Secrets, tags, digests and MACs are compared in constant time: reads every comparison of src and names those that stop at the first difference.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { product, root } from './sources.ts';

/** What a value is called that somebody could guess bit by bit. */
const SECRET = /^(secret|password|passphrase|hash|digest|mac|hmac|tag|signature|totp|otp|pin|csrf|nonce|ath|token)s?$/;
/** Words behind it that say only how it is written down. */
const FORM = /^(bytes|hex|base64|base64url|text|buffer|string|value|of)$/;

/** `tokenHash`, `tagOf(keys, body)`, `row.secret_hash.toString('hex')`; not `tokenId`, `secret.length`, `HASH_BYTES`, `(token === '')`. */
const isSecret = (operand: string): boolean =>
  !/\.(length|byteLength|size)$|===/.test(operand) &&
  [...operand.matchAll(/[A-Za-z_$][\w$]*/g)].some(([name]) => {
    const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').split(/[ _]+/);
    if (/^[A-Z0-9_]+$/.test(name)) return false;
    return SECRET.test((words.filter((word) => !FORM.test(word.toLowerCase())).at(-1) ?? '').toLowerCase());
  });

/** Whether something is there, or which of our own words it is, is no comparison of secrets. */
const isLiteral = (operand: string): boolean => /^(-?[\d'"`]|(null|undefined|true|false)$|[A-Z0-9_]+$)/.test(operand);

const GROUP = String.raw`\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)`;
const CHAIN = String.raw`(?:[\w$.?!]|\[[^\[\]]*\]|${GROUP}|'[^'\n]*')+`;
const EQUALITY = /(?<![=!<>])(?:===|!==|==|!=)(?!=)/g;
const METHOD = new RegExp(
  String.raw`(${CHAIN})\.(?:equals|compare|localeCompare|startsWith|endsWith|includes|indexOf|lastIndexOf)(${GROUP})`,
  'g',
);

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');

/** Every comparison of two values in which one is a secret, and every comparison of bytes that stops at the first difference. */
const comparisons = (source: string): string[] => {
  const text = withoutComments(source);
  const operators = [...text.matchAll(EQUALITY)].flatMap(({ 0: operator, index }) => {
    const left = new RegExp(`(${CHAIN})\\s*$`).exec(text.slice(Math.max(0, index - 400), index))?.[1] ?? '';
    const right = new RegExp(`^\\s*(-?${CHAIN})`).exec(text.slice(index + operator.length, index + 400))?.[1] ?? '';
    const counts = !isLiteral(left) && !isLiteral(right) && (isSecret(left) || isSecret(right));
    return counts ? [`${left} ${operator} ${right}`] : [];
  });
  const methods = [...text.matchAll(METHOD)].flatMap(([all, left = '', given = '']) => {
    const bytes = /\.(equals|compare)\(/.test(all);
    const counts = bytes || ((isSecret(left) || isSecret(given)) && !isLiteral(given.slice(1, -1)));
    return counts ? [all.replace(/\s+/g, ' ')] : [];
  });
  return [...operators, ...methods];
};

/** What an attacker learns nothing from; everything else goes through `equalBytes` or `equalText`. */
const PUBLIC: Readonly<Record<string, readonly string[]>> = {
  // Tags of DER and of protobuf, and of an HTTP entity.
  'src/certificates/der.forge.ts': ['element?.tag !== tag'],
  'src/server/http/probes.ts': ["one.trim().replace(/^W\\//, '') === tag"],
  // Names and keys that stand in certificates.
  'src/certificates/attest.ts': ['!leaf.fields.spki.equals(proven.spki)'],
  'src/certificates/lint.ts': [
    '!tbs.signatureAlgorithmDer.equals(SIGNATURE_ALGORITHM)',
    '!tbs.issuer.equals(issuer.subject)',
    'tbs.authorityKeyId?.equals(issuer.keyId)',
    'tbs.authorityKeyId?.equals(issuer.keyId)',
  ],
  'src/certificates/path.ts': [
    '!fields.signatureAlgorithmDer.equals(signatureAlgorithmDer)',
    'issuer.fields.subject.equals(subject.fields.issuer)',
    'issuer.fields.subjectKeyId.equals(subject.fields.authorityKeyId)',
  ],
  'src/certificates/public-key.ts': ['bytes.subarray(0, prefix.length).equals(prefix)'],
  'src/cli/checks.ts': ["!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(own)"],
  // The header of a ciphertext, and the order of attributes.
  'src/encryption/aad.ts': ['Buffer.compare(a, b)'],
  'src/encryption/envelope.ts': ['!MAGIC.equals(ciphertext.subarray(0, 3))'],
  'src/encryption/sealer.ts': ['!head.equals(sealed.subarray(0, head.length))'],
  // A text with its own canonical form.
  'src/encryption/fernet.ts': ["token !== canonical.padEnd(Math.ceil(canonical.length / 4) * 4, '=')"],
  // The caller's own token: after it was asked for anew, and behind a map that found its signature.
  'src/client/connection.grpc.ts': ['next === token'],
  'src/client/judge.ts': ['found.token === token'],
  // A secret's file with what it held before.
  'src/server/config/secrets.file.ts': ['known?.[at]?.equals(bytes)'],
};

/** Who checks something presented: the list grows with every new credential. */
const IN_CONSTANT_TIME = [
  'src/api-keys/secret.ts',
  'src/api-keys/verify.ts',
  'src/base/bytes.ts',
  'src/base/page.ts',
  'src/certificates/join-token.ts',
  'src/encryption/fernet.ts',
  'src/encryption/master-key.postgres.ts',
  'src/identity/passwords.worker.ts',
  'src/identity/set-password.ts',
  'src/storage/idempotency.postgres.ts',
  'src/tokens/family.ts',
  'src/tokens/keys/signing-keys.ts',
  'src/tokens/proof/proof-nonce.ts',
  'src/tokens/proof/proof.ts',
  'src/tokens/refresh-token.ts',
];

const sourceOf = (file: string): string => readFileSync(join(root, file), 'utf8');

describe('comparisons', () => {
  it('of secrets, tags, digests and MACs take constant time', () => {
    const found = product.map((file) => [file, comparisons(sourceOf(file))] as const).filter(([, said]) => said.length > 0);
    expect(Object.fromEntries(found)).toEqual(PUBLIC);
  });

  it('in constant time are made by one function, in every place that checks what somebody presents', () => {
    const using = (name: RegExp) => product.filter((file) => name.test(withoutComments(sourceOf(file)))).toSorted();
    expect(using(/timingSafeEqual/)).toEqual(['src/base/bytes.ts']);
    expect(using(/\bequal(Bytes|Text)\(/)).toEqual(IN_CONSTANT_TIME);
  });

  it.each([
    'if (tagOf(keys, body) === given) return',
    'return row.secretHash !== hash;',
    'if (presented.hash\n      .toString("hex") == family.currentHash.toString("hex"))',
    'const good = mac(query, after).equals(bytes.subarray(0, 16));',
    'Buffer.compare(expected, bytes) === 0',
    'if (!nonces.includes(given))',
    'stored.secret_hash.startsWith(given)',
    'if (row["csrf"] === header.csrfToken)',
  ])('would be seen: %s', (line) => {
    expect(comparisons(line)).not.toEqual([]);
  });

  it.each([
    'if (secret === null || token !== undefined)',
    "if (token.startsWith('shr_') || kind === 'password')",
    'if (bytes?.length !== SECRET_BYTES + TAG_BYTES)',
    'if (claims.tokenId === other.tokenId && hash.length === tag.length)',
    '// hash === other.hash\nif (equalBytes(hash, other.hash))',
  ])('would pass: %s', (line) => {
    expect(comparisons(line)).toEqual([]);
  });
});
