// Asks an issuer for its keys over https: bounded in size and time, no redirect followed, no connection to an address that is ruled out.
import { lookup as resolve } from 'node:dns';
import { request as askPlain, type IncomingMessage } from 'node:http';
import { request as askTls, type RequestOptions } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { kib } from '../base/bytes.ts';
import { Fault, unavailable } from '../base/fault.ts';
import { type Millis, seconds } from '../base/time.ts';
import { addressAllowed, type AddressRules, hostOf, urlProblem } from './address.ts';
import { discoveryOf, type TrustedIssuer } from './issuer.ts';
import { readJwks } from './jwks.ts';
import type { Fetched } from './key-source.ts';

/** A whole answer; those of large providers have 20 KiB. */
const LARGEST = kib(128);
/** From the look-up of the first name to the last byte of the keys: well within the time of a call. */
const PATIENCE: Millis = seconds(3);

interface Answer {
  readonly body: string;
  readonly maxAge: Millis;
}

const failed = (what: string, cause?: unknown): Fault => unavailable('ISSUER_KEYS_UNAVAILABLE', what, cause);

/** Resolves, and lets only allowed addresses through: what is checked is what is connected to, so a name cannot change in between. */
const guarded =
  (rules: AddressRules): LookupFunction =>
  (host, options, done) =>
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, '');
      const allowed = found.filter(({ address }) => addressAllowed(address, rules));
      const [first] = allowed;
      if (first === undefined) return done(Object.assign(new Error('address ruled out'), { code: 'ruled_out' }), '');
      if (options.all === true) done(null, allowed);
      else done(null, first.address, first.family);
    });

const maxAgeOf = ({ headers }: IncomingMessage): Millis => {
  const given = /(?:^|[\s,])max-age=(\d{1,9})/i.exec(headers['cache-control'] ?? '')?.[1];
  return given === undefined ? 0 : seconds(Number(given));
};

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name cannot be resolved',
  ruled_out: 'its name leads to an address that keys never come from',
  ECONNREFUSED: 'the connection was refused',
};

/** Coarse on purpose: it is read by whoever registered the address. Details are in the cause. */
const explained = (thrown: unknown): Fault => {
  if (thrown instanceof Fault) return thrown;
  const { code = '', name = '' } = thrown as { readonly code?: unknown; readonly name?: string };
  const text = String(code);
  if (name === 'TimeoutError' || name === 'AbortError') return failed(`no whole answer within ${PATIENCE / 1000} s`, thrown);
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(text)) return failed('its TLS certificate is not trusted', thrown);
  return failed(Object.hasOwn(WORDS, text) ? (WORDS[text] ?? '') : 'it cannot be reached', thrown);
};

const bodyOf = async (answer: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST) throw failed(`its answer is larger than ${LARGEST} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const ask = async (address: string, ca: string, rules: AddressRules, signal: AbortSignal): Promise<Answer> => {
  const problem = urlProblem(address, rules);
  if (problem !== null) throw failed(`the address of its keys ${problem}`);
  const url = new URL(address);
  const options: RequestOptions = {
    method: 'GET',
    agent: false,
    headers: { accept: 'application/jwk-set+json, application/json', 'user-agent': 'security-hub' },
    signal,
    lookup: guarded(rules),
    maxHeaderSize: kib(16),
    ...(isIP(hostOf(url)) === 0 ? { servername: hostOf(url) } : {}),
    ...(ca === '' ? {} : { ca }),
  };
  const message = await new Promise<IncomingMessage>((done, fail) => {
    const request = url.protocol === 'https:' ? askTls(url, options, done) : askPlain(url, options, done);
    request.once('error', fail);
    request.end();
  });
  try {
    if (message.statusCode !== 200) throw failed(`it answered ${message.statusCode}`);
    return { body: await bodyOf(message), maxAge: maxAgeOf(message) };
  } finally {
    message.destroy();
  }
};

/** Where the discovery document says the keys are; it must speak of this very issuer (OpenID Connect Discovery 1.0 §4.3). */
const jwksUriIn = (document: string, issuer: string): string => {
  let found: unknown;
  try {
    found = JSON.parse(document);
  } catch {
    throw failed('its discovery document is no JSON');
  }
  const { issuer: named, jwks_uri: address } = (found ?? {}) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (named !== issuer) throw failed('its discovery document names another issuer');
  if (typeof address !== 'string') throw failed('its discovery document names no jwks_uri');
  return address;
};

/** UNAVAILABLE / ISSUER_KEYS_UNAVAILABLE with what is wrong. */
export const fetchKeys =
  (rules: AddressRules) =>
  async (trusted: Pick<TrustedIssuer, 'issuer' | 'jwksUri' | 'discoveryUri' | 'caCertificates'>): Promise<Fetched> => {
    const { issuer, jwksUri, caCertificates: ca } = trusted;
    const signal = AbortSignal.timeout(PATIENCE);
    try {
      const address = jwksUri === '' ? jwksUriIn((await ask(discoveryOf(trusted), ca, rules, signal)).body, issuer) : jwksUri;
      const { body, maxAge } = await ask(address, ca, rules, signal);
      const keys = readJwks(body);
      if (keys === null) throw failed('its answer is no JWK Set');
      return { keys, maxAge };
    } catch (thrown) {
      // A body cut off by the signal says only that it was cut off.
      throw explained(signal.aborted ? signal.reason : thrown);
    }
  };
