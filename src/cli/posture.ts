// What of the configuration decides whether production may start; shared by serve and doctor.
import type { Posture } from '../server/config/refusals.ts';
import type { Config } from '../server/config/schema.ts';

export const postureOf = ({ server, storage, encryption }: Config): Posture => ({
  production: server.environment === 'production',
  postgresUri: storage.postgresUri,
  redisUrl: storage.redisUrl,
  masterKey: encryption.keyPath !== '' || encryption.key !== '',
  grpcHost: server.grpcHost,
  httpHost: server.httpHost,
  tls: server.tls,
  tlsCertPath: server.tlsCertPath,
  tlsKeyPath: server.tlsKeyPath,
  ports: [
    { name: 'GRPC_PORT', host: server.grpcHost, port: server.grpcPort },
    { name: 'HTTP_PORT', host: server.httpHost, port: server.httpPort },
    { name: 'PROBE_PORT', host: server.httpHost, port: server.probePort },
  ],
});
