// An issuer of its own on a real socket: keys, tokens, a discovery document, and counted requests that can be slow, wrong or refused.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ServerIdentity } from '../../../src/server/grpc/credentials.ts';

type Json = Readonly<Record<string, unknown>>;

const KINDS = {
  ES256: ['sha256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ES384: ['sha384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  EdDSA: [null, () => generateKeyPairSync('ed25519')],
  RS256: ['sha256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
} as const;
export type Kind = keyof typeof KINDS;

export interface IssuerKeyPair {
  readonly kid: string;
  readonly algorithm: Kind;
  readonly jwk: Json;
  readonly privateKey: KeyObject;
}

export const keyPair = (kid: string, algorithm: Kind = 'ES256', over: Json = {}): IssuerKeyPair => {
  const { publicKey, privateKey } = KINDS[algorithm][1]();
  return { kid, algorithm, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig', ...over } };
};

const encoded = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A compact JWS by hand, so that it can say anything. */
export const jwt = (key: IssuerKeyPair, payload: Json | string, header: Json = {}): string => {
  const full = { alg: key.algorithm, typ: 'JWT', kid: key.kid, ...header };
  const shown = Object.fromEntries(Object.entries(full).filter(([, value]) => value !== undefined));
  const text = `${encoded(shown)}.${encoded(payload)}`;
  const [digest] = KINDS[key.algorithm];
  const signature = sign(digest, Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
};

export interface IssuerServer {
  readonly url: string;
  /** What it publishes; change it to rotate. */
  keys: IssuerKeyPair[];
  /** Requests so far by path. */
  readonly asked: Map<string, number>;
  /** In place of the answer of a path. */
  readonly instead: Map<string, (response: ServerResponse) => void>;
  cacheControl: string;
  /** Claims of a token for an hour, issued now, with these changes; undefined leaves one out. */
  claims(over?: Json): Json;
  token(over?: Json, key?: IssuerKeyPair, header?: Json): string;
  stop(): Promise<void>;
  /** Again on the same port. */
  restart(): Promise<void>;
}

export const JWKS = '/jwks';
export const DISCOVERY = '/.well-known/openid-configuration';

export const issuerServer = async (options: { readonly tls?: ServerIdentity; readonly now?: () => number } = {}): Promise<IssuerServer> => {
  const asked = new Map<string, number>();
  const instead = new Map<string, (response: ServerResponse) => void>();
  const now = options.now ?? Date.now;
  const listener: RequestListener = (request, response) => {
    const path = request.url ?? '';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    const other = instead.get(path);
    if (other !== undefined) return other(response);
    const answer = (body: unknown) =>
      response
        .writeHead(200, {
          'content-type': 'application/json',
          ...(server.cacheControl === '' ? {} : { 'cache-control': server.cacheControl }),
        })
        .end(JSON.stringify(body));
    if (path === JWKS) return void answer({ keys: server.keys.map((key) => key.jwk) });
    if (path === DISCOVERY) return void answer({ issuer: server.url, jwks_uri: `${server.url}${JWKS}` });
    response.writeHead(404).end();
  };
  const { tls } = options;
  const make = () => (tls === undefined ? createServer(listener) : createTlsServer({ key: tls.key, cert: tls.chain }, listener));
  let http = make();
  const listen = (port: number) => new Promise<void>((done) => http.listen(port, '127.0.0.1', done));
  await listen(0);
  const { port } = http.address() as AddressInfo;
  const server: IssuerServer = {
    url: tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    keys: [keyPair('first')],
    asked,
    instead,
    cacheControl: '',
    claims: (over = {}) => {
      const seconds = Math.floor(now() / 1000);
      const jti = createHash('sha256').update(`${Math.random()}`).digest('hex').slice(0, 16);
      const claims = { iss: server.url, sub: 'f-anna', aud: 'orders', iat: seconds, exp: seconds + 3600, jti, ...over };
      return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
    },
    token: (over = {}, key = server.keys[0] as IssuerKeyPair, header = {}) => jwt(key, server.claims(over), header),
    stop: () =>
      new Promise((done) => {
        http.close(() => done());
        http.closeAllConnections();
      }),
    restart: () => {
      http = make();
      return listen(port);
    },
  };
  return server;
};
