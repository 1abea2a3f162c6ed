// An HTTP service that lets in whoever Security Hub vouches for. The guard is the one for Express: `app.use(guard)` there, called by hand here.
// HUB=127.0.0.1:50052 CREDENTIAL=<API key or token of this service> PORT=8080 node http-service.mjs
import { createServer } from 'node:http';
import { createClient, expressGuard, principalOf } from 'security-hub-client';

const hub = createClient({
  address: process.env.HUB ?? '127.0.0.1:50052',
  credential: process.env.CREDENTIAL ?? '',
  local: {},
  onProblem: (message, cause) => console.error(message, cause),
});
const guard = expressGuard(hub, (request) => (request.url === '/healthz' ? null : { audience: 'security-hub' }));

const server = createServer((request, response) =>
  guard(request, response, (error) => {
    if (error) return response.writeHead(500).end();
    const who = principalOf(request);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(who === null ? { healthy: true } : { hello: who.id, tenant: who.tenantId }));
  }),
);
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => console.log(`listening on ${server.address().port}`));

process.once('SIGTERM', () => server.close(() => hub.close()));
