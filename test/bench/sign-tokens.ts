// As many access tokens as are wanted, signed with the key of a hub whose signing key is a file.
import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new key in a file, for JWT_PRIVATE_KEY_PATH. */
export const signingKey = (): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'security-hub-signing-')), 'jwt.pem');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return path;
};

/** Tokens of the same user as the good one, each with a session of its own, ids as long as real ones, and `more` claims. Bytes, as they come in a header. */
export const signTokens = (keyPath: string, good: string, count: number, more: object = {}): Buffer[] => {
  const key = createPrivateKey(readFileSync(keyPath));
  const { crv, kty, x, y } = key.export({ format: 'jwk' });
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = part({ alg: 'ES256', typ: 'at+jwt', kid });
  const claims = JSON.parse(Buffer.from(good.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
  return Array.from({ length: count }, (_, at) => {
    const id = String(at).padStart(22, '0');
    const text = `${header}.${part({ ...claims, ...more, jti: `fam_${id}.1`, sid: `ses_${id}`, fam: `fam_${id}` })}`;
    return Buffer.from(`${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`);
  });
};
