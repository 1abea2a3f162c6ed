// `security-hub call SERVICE/METHOD JSON`: one call from a terminal, JSON in and JSON out.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, makeGenericClientConstructor, Metadata, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, type MethodDefinition } from '@grpc/proto-loader';
import { type DescMethod, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { Fault } from '../base/fault.ts';
import { descriptorBytes, descriptors } from '../server/descriptors/registry.ts';
import { faultOf } from '../server/grpc/status.ts';
import { type Command, usageFault, words } from './command.ts';

const OPTIONS = {
  address: { type: 'string', short: 'a' },
  token: { type: 'string', short: 't' },
  'data-dir': { type: 'string' },
  plaintext: { type: 'boolean' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
  timeout: { type: 'string' },
} as const;

interface Bootstrap {
  readonly grpc?: string;
  readonly access_token?: string;
}

/** What the last development start left behind, so that a call on the same machine needs no options. */
const bootstrapOf = (dataDir: string): Bootstrap => {
  const path = join(dataDir, 'bootstrap.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Bootstrap) : {};
};

const resolveMethod = (name: string): { readonly definition: MethodDefinition<object, object>; readonly desc: DescMethod } => {
  const [service = '', method = ''] = name.replace(/^\//, '').split(/[/]|\.(?=[^.]+$)/);
  const full = service.includes('.') ? service : `securityhub.v1.${service}`;
  const loaded = loadFileDescriptorSetFromBuffer(descriptorBytes());
  const definition = (loaded[full] as Record<string, MethodDefinition<object, object>> | undefined)?.[method];
  const desc = descriptors().method(`${full}/${method}`);
  if (definition === undefined || desc === undefined) throw usageFault(`no method ${full}/${method}; grpcurl describe or docs list them`);
  if (definition.requestStream || definition.responseStream) throw usageFault(`${full}/${method} is a stream; use grpcurl`);
  return { definition, desc };
};

const requestBytes = (desc: DescMethod, text: string): Buffer => {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch {
    throw usageFault('the request is not valid JSON');
  }
  try {
    return Buffer.from(toBinary(desc.input, fromJson(desc.input, json, { registry: descriptors().registry })));
  } catch (error) {
    throw usageFault(`the request does not fit ${desc.input.typeName}: ${(error as Error).message}`);
  }
};

const channelOf = (values: Readonly<Record<string, string | boolean | undefined>>, address: string): ChannelCredentials => {
  const file = (name: string): Buffer | null => (typeof values[name] === 'string' ? readFileSync(values[name]) : null);
  const secured = values['ca'] !== undefined || values['cert'] !== undefined;
  const local = /^(127\.|localhost|\[::1\]|unix:)/.test(address);
  if (values['plaintext'] === true || (!secured && local)) return credentials.createInsecure();
  return credentials.createSsl(file('ca'), file('key'), file('cert'));
};

/** Code, reason, sentence, fields: what somebody at a terminal needs. */
const printFault = (error: ServiceError): string => {
  const { code, reason, message, violations } = faultOf(error);
  const fields = violations.map((one) => `\n  ${one.field}: ${one.description}`).join('');
  return `${code}${reason === '' ? '' : ` / ${reason}`}: ${message}${fields}`;
};

export const callCommand: Command = {
  name: 'call',
  summary: 'Make one call and print its answer as JSON.',
  usage: "call SERVICE/METHOD ['JSON'] [OPTIONS]",
  help: `The request is proto3 JSON; - reads it from standard input, nothing is {}.
SERVICE may be short: SecurityHub/ValidateToken.

  -a, --address HOST:PORT   default: what bootstrap.json says, else 127.0.0.1:50052; unix:PATH works
  -t, --token TOKEN         access token or API key; default SECURITY_HUB_TOKEN, else bootstrap.json; '' sends none
      --ca, --cert, --key   PEM files for TLS and for mTLS
      --plaintext           no TLS (the default on loopback without --ca)
      --data-dir DIR        where bootstrap.json is; default DATA_DIR or ./data
      --timeout SECONDS     default 10`,
  async run(argv, terminal) {
    const { values, positionals } = words(argv, OPTIONS);
    const [name, request = '{}', surplus] = positionals;
    if (name === undefined || surplus !== undefined) throw usageFault('say SERVICE/METHOD and at most one request');
    const bootstrap = bootstrapOf(values['data-dir'] ?? terminal.env['DATA_DIR'] ?? './data');
    const address = values.address ?? bootstrap.grpc ?? '127.0.0.1:50052';
    const token = values.token ?? terminal.env['SECURITY_HUB_TOKEN'] ?? (values.cert === undefined ? bootstrap.access_token : '') ?? '';
    const { definition, desc } = resolveMethod(name);
    const bytes = requestBytes(desc, request === '-' ? readFileSync(0, 'utf8') : request);

    const metadata = new Metadata();
    if (token !== '') metadata.set('authorization', `Bearer ${token}`);
    const Client = makeGenericClientConstructor({}, 'call');
    const client = new Client(address, channelOf(values, address), { 'grpc.enable_http_proxy': 0 });
    const deadline = Date.now() + Number(values.timeout ?? 10) * 1000;
    const raw = (value: Buffer): Buffer => value;
    try {
      const answer = await new Promise<Buffer>((resolve, reject) => {
        client.makeUnaryRequest(definition.path, raw, raw, bytes, metadata, { deadline }, (error, value) =>
          error === null ? resolve(value ?? Buffer.alloc(0)) : reject(error),
        );
      });
      const json = toJson(desc.output, fromBinary(desc.output, answer), { registry: descriptors().registry, alwaysEmitImplicit: true });
      terminal.out(JSON.stringify(json, null, 2));
      return 0;
    } catch (error) {
      throw new Fault('UNAVAILABLE', 'CALL_FAILED', printFault(error as ServiceError));
    } finally {
      client.close();
    }
  },
};
