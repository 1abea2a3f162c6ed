// What was proven of the DPoP key that a credential is bound to (RFC 9449). Asked only where it is bound to one; each proof counts once.
import type { Call, MaybePromise } from '../base/call.ts';
import { badField } from '../base/fault.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import type { ProofUse, TokensDoor } from '../tokens/tokens.ts';
import type { Proven } from './validate-token/proven.ts';
import type { Reason } from './verdict.ts';

/** The thumbprint of the proven key, '' where nothing was shown, or why the proof does not count. */
export type ProvenKey = string | Reason;

/**
 * A workload on mTLS hands on the proof of its own inbound request. Whoever asks about its own token has proven it with this very call.
 * INVALID_ARGUMENT where the proof comes without the request it was made for; UNAVAILABLE / DPOP_UNAVAILABLE.
 */
export const createProvenKey =
  ({ tokens }: { readonly tokens: Pick<TokensDoor, 'checkProof'> }, use: ProofUse) =>
  ({ credential, marked }: Proven, token: string, context: RequestContext | undefined, call: Call): MaybePromise<ProvenKey> => {
    if (credential.confirmation === null || credential.confirmation.jkt === '') return '';
    const { caller } = call;
    if (caller.kind === 'user') return caller.tokenId === marked?.tokenId ? (caller.jkt ?? '') : '';
    if (caller.kind !== 'workload' || call.peer.certificate === null) return '';
    const { dpopProof = '', httpMethod = '', httpUri = '' } = context ?? {};
    if (dpopProof === '') return '';
    if (httpUri === '') throw badField('context.http_uri', 'is needed to check a DPoP proof');
    // gRPC knows no other method.
    const request = { method: httpMethod === '' ? 'POST' : httpMethod, uri: httpUri, token };
    return tokens
      .checkProof(dpopProof, request, use, call.now, call)
      .then((checked) => (checked.ok ? checked.jkt : { code: checked.reason, message: checked.message }));
  };
