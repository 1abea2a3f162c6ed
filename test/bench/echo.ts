// The measure of the benchmark: a bare grpc-js server that answers every call with a fixed number of bytes.
// Same library, same options, same sizes; no decoding, no checks. argv: port, size of the answer, TLS files (key, chain, ca).
import { readFileSync } from 'node:fs';
import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { rawMethod } from '../raw-method.ts';
import { SERVER_OPTIONS } from './options.ts';

const [port, size, key, chain, ca] = process.argv.slice(2);
const answer = Buffer.alloc(Number(size), 1);
const handlers: UntypedServiceImplementation = {
  call: (_call: unknown, callback: (error: null, value: Buffer) => void) => callback(null, answer),
};

const server = new Server(SERVER_OPTIONS);
server.addService({ call: rawMethod('/bench.Echo/Call') }, handlers);
const credentials =
  key && chain && ca
    ? ServerCredentials.createSsl(readFileSync(ca), [{ private_key: readFileSync(key), cert_chain: readFileSync(chain) }], false)
    : ServerCredentials.createInsecure();
server.bindAsync(`127.0.0.1:${port}`, credentials, (error) => {
  if (error) throw error;
  process.send?.('ready');
});
process.on('disconnect', () => process.exit(0));
