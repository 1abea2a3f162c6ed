// A hook for Fastify.
import { remember, type Requirements, type Validating, wantedOf } from './guard.ts';
import { authenticateHttp, type HttpGuardOptions, type HttpRequest, securityHeaders } from './http-guard.ts';

/** As far as Fastify's request matters. */
export interface FastifyRequest {
  readonly raw: HttpRequest;
  readonly ip: string;
}

/** As far as Fastify's reply matters. */
export interface FastifyReply {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: unknown): unknown;
}

/**
 * `app.addHook('onRequest', fastifyGuard(client, { audience: 'orders' }))`. Whoever passes is `principalOf(request)`; others are answered
 * here: 401, 403, or 503 while no verdict can be had.
 */
export const fastifyGuard = <R extends FastifyRequest>(
  client: Validating,
  requirements: Requirements<R> = {},
  options: HttpGuardOptions = {},
) => {
  const always = securityHeaders(options);
  return async (request: R, reply: FastifyReply): Promise<unknown> => {
    reply.headers({ ...always });
    const wanted = wantedOf(requirements, request);
    if (wanted === null) return undefined;
    const { headers, rawHeaders, method, url, socket } = request.raw;
    const outcome = await authenticateHttp(client, { headers, rawHeaders, method, url, socket, ip: request.ip }, wanted, options);
    if (outcome.ok) {
      remember(request, outcome.principal);
      return undefined;
    }
    const { refusal } = outcome;
    reply.code(refusal.status);
    reply.headers({ ...refusal.headers });
    // Fastify goes no further once a hook has sent and returns the reply.
    reply.send(refusal.body);
    return reply;
  };
};
