// A gRPC service whose every call is guarded, in CommonJS; the handler asks whether its caller may do what it wants to do.
// HUB=127.0.0.1:50052 CREDENTIAL=<API key or token of this service> PORT=9090 node grpc-service.cjs
const { Server, ServerCredentials, status } = require('@grpc/grpc-js');
const { createClient, grpcGuard, principalOf } = require('security-hub-client');

const hub = createClient({ address: process.env.HUB ?? '127.0.0.1:50052', credential: process.env.CREDENTIAL ?? '', local: {} });

const text = { serialize: (value) => Buffer.from(value), deserialize: (bytes) => bytes.toString() };
const Greeter = {
  greet: {
    path: '/examples.Greeter/Greet',
    requestStream: false,
    responseStream: false,
    requestSerialize: text.serialize,
    requestDeserialize: text.deserialize,
    responseSerialize: text.serialize,
    responseDeserialize: text.deserialize,
  },
};

const greet = async (call) => {
  const who = principalOf(call);
  const subject = { type: who.type, id: who.id, tenantId: who.tenantId };
  const { allowed, reasonCode } = await hub.checkPermission({
    principal: { $case: 'subject', value: subject },
    action: 'read',
    resource: { type: 'conversations', id: call.request },
  });
  return `${who.id} may ${allowed ? '' : `not (${reasonCode}) `}read ${call.request}`;
};

const server = new Server({ interceptors: [grpcGuard(hub, { audience: 'security-hub' })] });
server.addService(Greeter, {
  greet: (call, callback) => {
    greet(call).then(
      (answer) => callback(null, answer),
      // Without a decision nothing is allowed.
      (error) => callback({ code: status.UNAVAILABLE, details: error.reason }),
    );
  },
});
server.bindAsync(`127.0.0.1:${process.env.PORT ?? 9090}`, ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on ${port}`);
});

process.once('SIGTERM', () => server.tryShutdown(() => hub.close()));
