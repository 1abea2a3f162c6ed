// The process's own slice: its name, where it listens, what it shows, where its files are.
import { choice, flag, list, port, text } from './field.ts';

export const serverConfig = {
  serviceName: text('SERVICE_NAME', { default: 'security-hub', doc: 'Name in logs and metrics.' }),
  environment: choice('NODE_ENV', ['development', 'production', 'test'], {
    doc: 'production refuses embedded stores, development keys, a superuser database role and plaintext beyond loopback.',
  }),
  configFile: text('CONFIG_FILE', {
    hint: 'path',
    doc: 'A file of NAME=value lines or one JSON object, weaker than the environment. Unknown names in it are refused.',
  }),
  dataDir: text('DATA_DIR', { default: './data', hint: 'path', doc: 'Folder of the embedded database and of bootstrap.json.' }),
  logLevel: choice('LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], {
    default: 'info',
    doc: 'The least severe line that is written.',
  }),
  grpcHost: text('GRPC_HOST', {
    default: '127.0.0.1',
    pattern: /^[0-9A-Fa-f:.]+$/,
    hint: 'an IP address',
    doc: 'Address that the gRPC port listens on; 0.0.0.0 or :: opens it beyond this machine.',
  }),
  grpcPort: port('GRPC_PORT', { default: '50052', doc: 'gRPC port; 0 takes a free one.' }),
  grpcSocket: text('GRPC_SOCKET', { hint: 'path', doc: 'Unix socket that speaks gRPC as well, in the clear, for this machine.' }),
  httpHost: text('HTTP_HOST', {
    default: '127.0.0.1',
    pattern: /^[0-9A-Fa-f:.]+$/,
    hint: 'an IP address',
    doc: 'Address that the HTTP side port and PROBE_PORT listen on. In the clear beyond this machine only probes, metrics and public keys are served.',
  }),
  httpPort: port('HTTP_PORT', { default: '8005', doc: 'HTTP side port; 0 takes a free one.' }),
  probePort: port('PROBE_PORT', { default: '0', doc: 'Port with probes and metrics alone, always in the clear; 0 is none.' }),
  httpHosts: list('HTTP_HOSTS', {
    pattern: /^[A-Za-z0-9.\-[\]:]+$/,
    hint: 'host names',
    doc: 'Names we are known by besides the loopback ones: JSON callers may use them in Host, DPoP proofs in htu.',
  }),
  httpSixCalls: flag('HTTP_SIX_CALLS', { doc: 'In production: answer the six calls of SecurityHub as JSON over HTTP too.' }),
  reflection: choice('GRPC_REFLECTION', ['on', 'authenticated', 'off'], {
    default: 'authenticated',
    doc: 'Who may read the API description: everybody; loopback and authenticated callers; nobody.',
  }),
  tls: choice('TLS', ['auto', 'on', 'off'], {
    doc: 'auto: in the clear on loopback outside production, TLS elsewhere. Certificates are our own unless TLS_CERT_PATH names one.',
  }),
  tlsCertPath: text('TLS_CERT_PATH', { hint: 'path', doc: 'PEM chain to serve with instead of our own certificate; re-read on change.' }),
  tlsKeyPath: text('TLS_KEY_PATH', { hint: 'path', doc: 'PEM private key of TLS_CERT_PATH; re-read on change.' }),
};
