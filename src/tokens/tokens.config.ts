// Configuration of tokens, sessions and signing keys.
import { choice, daysField, integer, minutesField, text } from '../server/config/field.ts';
import { ALGORITHMS } from './jws.ts';

export const tokensConfig = {
  issuer: text('JWT_ISSUER', {
    default: 'https://security-hub.internal',
    doc: 'Issuer (`iss`) of our access tokens; tokens of any other are refused. Changing it ends the life of all tokens.',
    pattern: /^[\x21-\x7e]{1,512}$/,
    hint: 'text without blanks, up to 512 characters',
  }),
  audience: text('JWT_AUDIENCE', {
    default: 'security-hub',
    doc: 'Audience (`aud`) of access tokens where the login names none: names separated by commas.',
    pattern: /^[\x21-\x7e]{1,1024}$/,
    hint: 'names separated by commas, without blanks',
  }),
  algorithm: choice('JWT_ALGORITHM', ALGORITHMS, {
    default: 'ES256',
    doc: 'Algorithm of a signing key when it is made. A key keeps its algorithm for life; the next one has this.',
  }),
  privateKeyPath: text('JWT_PRIVATE_KEY_PATH', {
    doc: 'File with the signing key (PEM, PKCS #8), readable by its owner only. Read anew every minute: a replaced file signs once its key has been published for SIGNING_KEY_PUBLISH_MINUTES. Not set: a key is made at the first start and kept sealed in Postgres.',
    hint: 'path',
  }),
  publicKeyPath: text('JWT_PUBLIC_KEY_PATH', {
    doc: 'File with the public half of JWT_PRIVATE_KEY_PATH (PEM); must match it. Not set: derived.',
    hint: 'path',
  }),
  keyRotation: daysField('SIGNING_KEY_ROTATION_DAYS', {
    default: '30',
    min: 0,
    max: 3650,
    doc: 'How long a stored key signs before the next one does. 0: until somebody calls RotateSigningKey. A key from files is rotated by replacing the files.',
  }),
  keyAhead: minutesField('SIGNING_KEY_PUBLISH_MINUTES', {
    default: '60',
    min: 1,
    max: 10_080,
    doc: 'How long the next key stands in the JWKS before it signs: longer than any verifier keeps a copy (Istio 20 minutes, Envoy and jose 10).',
  }),
  accessLife: minutesField('ACCESS_TOKEN_MINUTES', {
    default: '5',
    min: 0.05,
    max: 60,
    doc: 'Life of an access token; up to 5 % shorter, so that refreshes spread out.',
  }),
  sessionIdle: minutesField('SESSION_TIMEOUT_MINUTES', {
    default: '60',
    min: 0.05,
    max: 43_200,
    doc: 'A session ends when its refresh token has not been used for this long.',
  }),
  sessionLife: daysField('REFRESH_TOKEN_DAYS', {
    default: '30',
    min: 0.0001,
    max: 400,
    doc: 'A session ends this long after its login, used or not.',
  }),
  rotation: choice('REFRESH_ROTATION', ['always', 'unbound'], {
    default: 'always',
    doc: 'Which refresh tokens are replaced when they are used: all, or only those bound to no key (a stolen bound one is of no use, and its owner never loses an answer).',
  }),
  exchangeDepth: integer('TOKEN_EXCHANGE_DEPTH', {
    default: '4',
    min: 0,
    max: 8,
    doc: 'How many parties may act one for another in an exchanged token (`act`); 0 = no token is exchanged.',
  }),
  proofNonces: choice('DPOP_NONCES', ['off', 'required'], {
    default: 'off',
    doc: 'required: a DPoP proof made to the hub itself (logins, refreshes, calls with a bound token) must carry a nonce of ours (RFC 9449 §8). One without is refused with USE_DPOP_NONCE and the nonce to use, new every 5 minutes. Proofs that workloads hand on were made to them: nonces of those are theirs to give and compare.',
  }),
  verdictCacheSize: integer('VERDICT_CACHE_SIZE', {
    default: '100000',
    min: 1000,
    max: 2_000_000,
    doc: 'Verified tokens kept in memory, about 0.5 KB each.',
  }),
  mirrorSize: integer('REVOCATION_MIRROR_SIZE', {
    default: '2000000',
    min: 1000,
    max: 20_000_000,
    doc: 'Live revocations kept in memory, about 130 bytes each. A replica that reaches this number is not ready: nothing is forgotten instead.',
  }),
  watchBacklog: integer('WATCH_BACKLOG', {
    default: '50000',
    min: 100,
    max: 5_000_000,
    doc: 'Newest revocations kept for those who watch them: whoever falls further behind, or was away for more, takes a new snapshot.',
  }),
} as const;
