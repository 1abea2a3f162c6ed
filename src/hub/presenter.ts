// The other end of the connection a credential came over, as far as this caller is believed about it.
import type { Call } from '../base/call.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import type { Presenter } from './verdict.ts';

/** Hexadecimal as callers send it, base64url as tokens carry it; anything else is as good as nothing. */
const thumbprint = (text: string): string =>
  /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex').toString('base64url') : /^[\w-]{43}$/.test(text) ? text : '';

/**
 * A workload on mTLS speaks for its own inbound peer; whoever shows its own token is measured by its own connection.
 * `trusted`: it holds context:assert, so its word on the address counts.
 */
export const presenterOf = (context: RequestContext | undefined, call: Call, trusted: boolean): Presenter => {
  const { certificate } = call.peer;
  const workload = call.caller.kind === 'workload' && certificate !== null;
  const own = certificate === null ? '' : thumbprint(certificate.sha256);
  return {
    certificate: workload ? thumbprint(context?.peerCertificateSha256 ?? '') : own,
    spki: workload ? thumbprint(context?.peerSpkiSha256 ?? '') : '',
    address: trusted && context !== undefined && context.ipAddress !== '' ? context.ipAddress : call.peer.address,
    deviceId: context?.deviceId ?? '',
  };
};
