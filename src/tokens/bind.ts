// Binding: what the other end of a login, refresh or exchange has shown of itself, and what its tokens are bound to for that.
import type { Call } from '../base/call.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Confirmation, NOTHING_SHOWN, type Shown } from '../base/possession.ts';
import type { CheckProof } from './proof/check-proof.ts';
import type { ProvenRequest } from './proof/proof.ts';

/** What the caller says of its own inbound peer (RequestContext); believed from workloads on mTLS. */
export interface PeerContext {
  readonly peerCertificateSha256: string;
  readonly peerSpkiSha256: string;
  readonly peerSpiffeId: string;
  readonly dpopProof: string;
  readonly httpMethod: string;
  readonly httpUri: string;
}

export interface BindDeps {
  readonly checkProof: CheckProof;
  /** Is this one of the names we are reached by (HTTP_HOSTS, loopback)? */
  knownHost(authority: string): boolean;
}

/** Hexadecimal as callers send it, base64url as tokens carry it; anything else is as good as nothing. */
const thumbprint = (text: string): string =>
  /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex').toString('base64url') : /^[\w-]{43}$/.test(text) ? text : '';

const speaksOfPeer = (context: PeerContext): boolean =>
  context.peerCertificateSha256 !== '' || context.peerSpkiSha256 !== '' || context.peerSpiffeId !== '' || context.dpopProof !== '';

/** On mTLS, and somebody answers for it. */
const isRegistered = ({ caller, peer }: Call): boolean => caller.kind === 'workload' && caller.entry !== null && peer.certificate !== null;

/** The certificate of the connection, or of the peer that `context` speaks of. */
export const peerShown = ({ peer: { certificate } }: Pick<Call, 'peer'>, context?: PeerContext): Shown => {
  if (context !== undefined)
    return {
      certificate: thumbprint(context.peerCertificateSha256),
      spki: thumbprint(context.peerSpkiSha256),
      spiffeId: context.peerSpiffeId,
      jkt: '',
    };
  return certificate === null
    ? NOTHING_SHOWN
    : {
        certificate: thumbprint(certificate.sha256),
        spki: thumbprint(certificate.spkiSha256),
        spiffeId: certificate.spiffeId ?? '',
        jkt: '',
      };
};

const proven = async (deps: BindDeps, text: string, request: Omit<ProvenRequest, 'token'>, call: Call): Promise<string> => {
  const checked = await deps.checkProof(text, { ...request, token: null }, 'call', call.now, call);
  if (!checked.ok) throw new Fault('UNAUTHENTICATED', checked.reason, checked.message);
  return checked.jkt;
};

/**
 * What is shown with a call that hands out tokens. A registered workload on mTLS may speak for its inbound peer, then only what it says counts;
 * everybody else is its own connection, and the DPoP proof in the call's metadata.
 * UNAUTHENTICATED with the proof's reason, USE_DPOP_NONCE among them; UNAVAILABLE / DPOP_UNAVAILABLE.
 */
export const shownBy =
  (deps: BindDeps) =>
  async (context: PeerContext | undefined, call: Call): Promise<Shown> => {
    if (context !== undefined && isRegistered(call) && speaksOfPeer(context)) {
      if (context.dpopProof !== '' && context.httpUri === '') throw badField('context.http_uri', 'is needed to check a DPoP proof');
      const request = { method: context.httpMethod || 'POST', uri: context.httpUri };
      const jkt = context.dpopProof === '' ? '' : await proven(deps, context.dpopProof, request, call);
      return { ...peerShown(call, context), jkt };
    }
    if (call.dpop === '') return peerShown(call);
    // The credential of this very call has used its proof already.
    if (call.caller.kind === 'user' && call.caller.jkt !== undefined) return { ...peerShown(call), jkt: call.caller.jkt };
    checkAuthority(deps, call);
    return { ...peerShown(call), jkt: await proven(deps, call.dpop, { method: 'POST', uri: call.target, ours: true }, call) };
  };

/** A proof made for somebody else's name, who passes it on to us under that name, is none for us. */
export const checkAuthority = ({ knownHost }: Pick<BindDeps, 'knownHost'>, { target }: Pick<Call, 'target'>): void => {
  const authority = /^https:\/\/([^/]*)/.exec(target)?.[1] ?? '';
  if (!knownHost(authority))
    throw new Fault('UNAUTHENTICATED', 'DPOP_URI_MISMATCH', 'a DPoP proof must be made for a name we are known by: add it to HTTP_HOSTS');
};

const NONE: Confirmation = { x5tS256: '', spkiSha256: '', spiffeId: '', jkt: '', other: false };

const missing = (what: string): Fault => badField('binding', `this binding needs ${what}`, 'BINDING_MISSING');

/**
 * The confirmation of tokens made now, bound to what is asked for: dpop, certificate, public_key or spiffe; '' asks for nothing. A DPoP proof binds without being asked (RFC 9449 §5); a certificate only when asked, because whoever
 * logs a user in may do so for somebody behind it. INVALID_ARGUMENT / BINDING_MISSING where nothing was shown that could be bound to.
 */
export const confirmationFor = (asked: string, shown: Shown): Confirmation | null => {
  switch (asked) {
    case '':
      return shown.jkt === '' ? null : { ...NONE, jkt: shown.jkt };
    case 'dpop':
      if (shown.jkt === '') throw missing('a DPoP proof');
      return { ...NONE, jkt: shown.jkt };
    case 'certificate':
      if (shown.certificate === '') throw missing('a client certificate');
      return { ...NONE, x5tS256: shown.certificate };
    case 'public_key':
      if (shown.spki === '') throw missing('a client certificate');
      return { ...NONE, spkiSha256: shown.spki };
    case 'spiffe':
      if (shown.spiffeId === '') throw missing('a client certificate with a SPIFFE id');
      return { ...NONE, spiffeId: shown.spiffeId };
    default:
      throw badField('binding', 'must be dpop, certificate, public_key or spiffe, or empty');
  }
};
