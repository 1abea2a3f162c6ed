// Middleware for Express, Connect and everything else that calls (request, response, next).
import { remember, type Requirements, type Validating, wantedOf } from './guard.ts';
import { authenticateHttp, type HttpGuardOptions, type HttpRequest, securityHeaders } from './http-guard.ts';

/** As far as a response matters: that of node:http, and Express's. */
export interface HttpResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
  end(body: string): unknown;
}

/**
 * `app.use(expressGuard(client, { audience: 'orders' }))`. Whoever passes is `principalOf(request)`; others are answered here: 401, 403, or
 * 503 while no verdict can be had.
 */
export const expressGuard = (client: Validating, requirements: Requirements<HttpRequest> = {}, options: HttpGuardOptions = {}) => {
  const always = Object.entries(securityHeaders(options));
  return (request: HttpRequest, response: HttpResponse, next: (error?: unknown) => void): void => {
    for (const [name, value] of always) response.setHeader(name, value);
    response.removeHeader('x-powered-by');
    const pass = async (): Promise<boolean> => {
      const wanted = wantedOf(requirements, request);
      if (wanted === null) return true;
      const outcome = await authenticateHttp(client, request, wanted, options);
      if (outcome.ok) {
        remember(request, outcome.principal);
        return true;
      }
      const { refusal } = outcome;
      response.statusCode = refusal.status;
      for (const [name, value] of Object.entries(refusal.headers)) response.setHeader(name, value);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(refusal.body));
      return false;
    };
    pass().then(
      (passed) => {
        if (passed) next();
      },
      (error: unknown) => next(error),
    );
  };
};
