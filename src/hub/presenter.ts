// The other end of the connection a credential came over, as far as this caller is believed about it.
import type { Call, Peer } from '../base/call.ts';
import { NOTHING_SHOWN, type Shown } from '../base/possession.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import type { ProvenKey } from './possession.ts';
import type { Presenter } from './verdict.ts';

/** Hexadecimal as callers send it, base64url as tokens carry it; anything else is as good as nothing. */
const thumbprint = (text: string): string =>
  /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex').toString('base64url') : /^[\w-]{43}$/.test(text) ? text : '';

/** Hashed only where there is something to compare it with. */
export const shownFingerprint = (
  credential: { readonly tenantId: string; readonly fingerprint: string },
  context: RequestContext | undefined,
  fingerprintOf: (tenantId: string, fingerprint: string) => string,
): string => (credential.fingerprint === '' || context === undefined ? '' : fingerprintOf(credential.tenantId, context.deviceFingerprint));

/** What a connection shows of itself; `jkt` is what was proven by DPoP. */
export const shownByPeer = ({ certificate }: Pick<Peer, 'certificate'>, jkt: string): Shown =>
  certificate === null
    ? { ...NOTHING_SHOWN, jkt }
    : {
        certificate: thumbprint(certificate.sha256),
        spki: thumbprint(certificate.spkiSha256),
        spiffeId: certificate.spiffeId ?? '',
        jkt,
      };

/** A workload on mTLS speaks for its own inbound peer; whoever shows its own token is measured by its own connection. */
const shownBy = (context: RequestContext | undefined, { caller, peer }: Call, jkt: string): Shown =>
  caller.kind !== 'workload' || peer.certificate === null
    ? shownByPeer(peer, jkt)
    : {
        certificate: thumbprint(context?.peerCertificateSha256 ?? ''),
        spki: thumbprint(context?.peerSpkiSha256 ?? ''),
        spiffeId: context?.peerSpiffeId ?? '',
        jkt,
      };

/** Where the subject is: an edge's word, else the other end of the connection. */
export const addressOf = (context: RequestContext | undefined, { peer }: Call, trusted: boolean): string =>
  trusted && context !== undefined && context.ipAddress !== '' ? context.ipAddress : peer.address;

/**
 * `trusted`: the caller holds context:assert, so its word on the address counts. `bound`: only then is it worth working out what was shown.
 * `key`: what was proven by DPoP. `fingerprint`: of the device that it names, as in claims.
 */
export const presenterOf = (
  context: RequestContext | undefined,
  call: Call,
  trusted: boolean,
  bound: boolean,
  key: ProvenKey,
  fingerprint: string,
): Presenter => ({
  shown: bound ? shownBy(context, call, typeof key === 'string' ? key : '') : NOTHING_SHOWN,
  badProof: typeof key === 'string' ? null : key,
  address: addressOf(context, call, trusted),
  deviceId: context?.deviceId ?? '',
  fingerprint,
  believed: trusted,
});
