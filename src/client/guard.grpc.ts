// A server interceptor for grpc-js.
import { Metadata, type ServerInterceptor, ServerInterceptingCall } from '@grpc/grpc-js';
import { createHash, X509Certificate } from 'node:crypto';
import { boundedMap } from '../base/bounded.ts';
import type { DeepPartial } from '../gen/securityhub/v1/security_hub.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import { statusOf } from '../server/grpc/status.ts';
import { authenticate, remember, type Requirements, type Validating, wantedOf } from './guard.ts';
import { NOTHING_SHOWN, type ShownCertificate, shownCertificate } from './shown-certificate.ts';

/** As far as requirements may depend on a call. */
export interface GrpcRequest {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly metadata: Metadata;
}

const only = (metadata: Metadata, name: string): string => {
  const values = metadata.get(name);
  const [value] = values;
  return values.length === 1 && typeof value === 'string' ? value : '';
};

type Inner = Parameters<ServerInterceptor>[1];

const addressOf = (call: Inner): string => call.getConnectionInfo().remoteAddress ?? '';

/** grpc-js parses a connection's certificate anew on each call, and tells of none that nobody trusted vouches for. */
const described = boundedMap<string, ShownCertificate>(1000);
const peerShown = (call: Inner): ShownCertificate => {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) return NOTHING_SHOWN;
  const digest = createHash('sha256').update(raw).digest('hex');
  const known = described.get(digest, 0);
  if (known !== undefined) return known;
  const shown = shownCertificate(new X509Certificate(raw), true);
  described.set(digest, shown, Number.POSITIVE_INFINITY);
  return shown;
};

const contextOf = (path: string, metadata: Metadata, call: Inner): DeepPartial<RequestContext> => {
  const proof = only(metadata, 'dpop');
  return {
    ipAddress: addressOf(call),
    userAgent: only(metadata, 'user-agent').slice(0, 1024),
    requestId: only(metadata, 'x-request-id').slice(0, 128),
    endpoint: path.slice(0, 512),
    ...peerShown(call),
    // RFC 9449 does not say what a proof names over gRPC; we say: what HTTP/2 would.
    ...(proof === '' ? {} : { dpopProof: proof.slice(0, 8192), httpMethod: 'POST', httpUri: `https://${call.getHost()}${path}` }),
  };
};

/**
 * `new Server({ interceptors: [grpcGuard(client, { audience: 'orders' })] })`. Whoever passes is `principalOf(call)` in the handler; others
 * get UNAUTHENTICATED, PERMISSION_DENIED, or UNAVAILABLE while no verdict can be had, with ErrorInfo.
 */
export const grpcGuard =
  (client: Validating, requirements: Requirements<GrpcRequest> = {}): ServerInterceptor =>
  (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, pass) {
            const decide = async (): Promise<void> => {
              const wanted = wantedOf(requirements, { path: method.path, metadata });
              if (wanted === null) return pass(metadata);
              const presented = { authorization: only(metadata, 'authorization'), context: contextOf(method.path, metadata, call) };
              const outcome = await authenticate(client, presented, wanted);
              if (!outcome.ok) return call.sendStatus(statusOf(outcome.fault, only(metadata, 'x-request-id')));
              // The handler gets this very object.
              remember(metadata, outcome.principal);
              return pass(metadata);
            };
            // Requirements are the service's own code, and may throw: then nobody passes.
            decide().catch(() => call.sendStatus({ code: 13, details: 'internal error', metadata: new Metadata() }));
          },
        }),
    });
