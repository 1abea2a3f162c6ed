// A client of the built hub that knows only the descriptor set: any RPC, proto3 JSON in and out, or raw bytes.
import { Client, type ChannelCredentials, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { fromBinary, fromJson, type JsonObject, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import type { FieldViolation } from '../../src/base/fault.ts';
import { descriptors } from '../../src/server/descriptors/registry.ts';
import { faultOf } from '../../src/server/grpc/status.ts';

/** How a call ended. */
export interface Outcome {
  /** `OK`, or the gRPC code's name. */
  readonly code: string;
  /** '' with OK. */
  readonly reason: string;
  readonly message: string;
  readonly violations: readonly FieldViolation[];
  /** {} unless OK; the first answer of a stream. */
  readonly answer: JsonObject;
}

export interface JsonClient {
  /** `rpc`: `securityhub.v1.SecurityHub/Encrypt`. A request as JSON, or as the bytes to send. */
  call(rpc: string, request: JsonObject | Uint8Array, bearer?: string): Promise<Outcome>;
  /** The answer; throws what is not OK. */
  ask(rpc: string, request: JsonObject, bearer?: string): Promise<JsonObject>;
  close(): void;
}

const PATIENCE = 15_000;
const { registry, method } = descriptors();

const described = (rpc: string) => {
  const found = method(rpc);
  if (found === undefined) throw new Error(`no ${rpc} is described`);
  return found;
};

/** The bytes of a request written as JSON. */
export const requestBytes = (rpc: string, request: JsonObject): Buffer => {
  const { input } = described(rpc);
  return Buffer.from(toBinary(input, fromJson(input, request, { registry })));
};

const raw = (bytes: Buffer): Buffer => bytes;

const refused = (error: ServiceError): Outcome => {
  const { code, reason, message, violations } = faultOf(error);
  return { code, reason, message, violations, answer: {} };
};

/** `address`: host:port. With TLS the hub must prove to be `localhost`. */
export const openJsonClient = (address: string, channel: ChannelCredentials = credentials.createInsecure()): JsonClient => {
  const client = new Client(address, channel, {
    'grpc.ssl_target_name_override': 'localhost',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_send_message_length': -1,
  });

  const call = (rpc: string, request: JsonObject | Uint8Array, bearer = ''): Promise<Outcome> => {
    const { output, methodKind } = described(rpc);
    const bytes = request instanceof Uint8Array ? Buffer.from(request) : requestBytes(rpc, request);
    const metadata = new Metadata();
    if (bearer !== '') metadata.set('authorization', `Bearer ${bearer}`);
    const options = { deadline: Date.now() + PATIENCE };
    const answered = (answer: Buffer): Outcome => {
      const json: JsonValue = toJson(output, fromBinary(output, answer), { registry, alwaysEmitImplicit: true });
      return { code: 'OK', reason: '', message: '', violations: [], answer: json as JsonObject };
    };
    return new Promise((resolve) => {
      if (methodKind === 'unary') {
        client.makeUnaryRequest(`/${rpc}`, raw, raw, bytes, metadata, options, (error, answer) =>
          resolve(error === null ? answered(answer ?? Buffer.alloc(0)) : refused(error)),
        );
        return;
      }
      // The first answer tells whether one is let in.
      const stream = client.makeBidiStreamRequest(`/${rpc}`, raw, raw, metadata, options);
      stream.once('data', (answer: Buffer) => {
        resolve(answered(answer));
        stream.cancel();
      });
      stream.on('error', (error: ServiceError) => resolve(refused(error)));
      stream.write(bytes);
      if (methodKind === 'server_streaming') stream.end();
    });
  };

  return {
    call,
    async ask(rpc, request, bearer) {
      const { code, reason, message, answer } = await call(rpc, request, bearer);
      if (code !== 'OK') throw new Error(`${rpc}: ${code} ${reason} ${message}`);
      return answer;
    },
    close: () => client.close(),
  };
};
