// Asks a hub from the command line: where it is, what it takes to be let in, JSON in and JSON out.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, makeGenericClientConstructor, Metadata, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, type MethodDefinition } from '@grpc/proto-loader';
import { type DescMethod, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import { Fault, toFault } from '../base/fault.ts';
import { isLocal } from '../client/address.ts';
import { sslCredentials, sslOptions } from '../client/credentials.grpc.ts';
import { descriptorBytes, descriptors } from '../server/descriptors/registry.ts';
import { faultOf } from '../server/grpc/status.ts';
import { readJson } from '../server/http/json.ts';
import { didYouMean, type Terminal, usageFault } from './command.ts';

/** Options of every command that asks a hub. */
export const ASK_OPTIONS = {
  address: { type: 'string', short: 'a' },
  token: { type: 'string', short: 't' },
  'data-dir': { type: 'string' },
  plaintext: { type: 'boolean' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
  timeout: { type: 'string' },
} as const;

const OURS = 'securityhub.v1.';

interface Bootstrap {
  readonly grpc?: string;
  readonly access_token?: string;
}

/** What the last development start left behind, so that a call on the same machine needs no options. */
const bootstrapOf = (dataDir: string): Bootstrap => {
  const path = join(dataDir, 'bootstrap.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Bootstrap) : {};
};

const methodNames = (): string[] =>
  [...descriptors().registry].flatMap((type) =>
    type.kind === 'service' ? type.methods.map((method) => `${type.typeName.replace(OURS, '')}/${method.name}`) : [],
  );

/** What somebody may have meant who named no method, or half of one. */
const instead = (service: string, method: string): string => {
  const all = methodNames();
  const short = `${service}/${method}`;
  if (method !== '') return `there is no method ${short}${didYouMean(short, all)}`;
  const own = all.filter((name) => name.startsWith(short));
  if (own.length > 0) return `say which method of ${service}: ${own.map((name) => name.slice(short.length)).join(', ')}`;
  const named = all.filter((name) => name.endsWith(`/${service}`));
  return named.length > 0 ? `say the service, too: ${named.join(' or ')}` : `there is no method ${service}${didYouMean(service, all)}`;
};

/** `SecurityHub/ValidateToken`, `securityhub.v1.SecurityHub/ValidateToken`, `securityhub.v1.SecurityHub.ValidateToken`. */
const resolveMethod = (name: string): { readonly definition: MethodDefinition<object, object>; readonly desc: DescMethod } => {
  const bare = name.replace(/^\//, '');
  const [service = '', method = ''] = (bare.includes('/') ? bare : bare.replace(/\.(?=[^.]*$)/, '/')).split('/');
  const full = service.includes('.') ? service : `${OURS}${service}`;
  const loaded = loadFileDescriptorSetFromBuffer(descriptorBytes());
  const definition = (loaded[full] as Record<string, MethodDefinition<object, object>> | undefined)?.[method];
  const desc = descriptors().method(`${full}/${method}`);
  if (definition === undefined || desc === undefined) throw usageFault(instead(full.replace(OURS, ''), method));
  if (definition.requestStream || definition.responseStream) throw usageFault(`${full}/${method} is a stream; use grpcurl`);
  return { definition, desc };
};

/** Read as the HTTP port reads it. */
const requestBytes = ({ input }: DescMethod, json: string): Buffer => {
  try {
    return Buffer.from(readJson(input, json, descriptors()));
  } catch (error) {
    throw usageFault(`the request does not fit ${input.typeName}: ${toFault(error).message}`);
  }
};

export type AskValues = Readonly<Record<string, string | boolean | undefined>>;

const fileOf = (values: AskValues, name: string): Buffer | null => {
  const path = values[name];
  if (typeof path !== 'string') return null;
  try {
    return readFileSync(path);
  } catch (error) {
    throw usageFault(`--${name}: ${path} cannot be read (${(error as { code?: string }).code ?? 'unknown'})`);
  }
};

const channelOf = (values: AskValues, address: string): ChannelCredentials => {
  const [ca, key, cert] = [fileOf(values, 'ca'), fileOf(values, 'key'), fileOf(values, 'cert')];
  if ((key === null) !== (cert === null)) throw usageFault('--cert and --key belong together');
  if (values['plaintext'] === true || (ca === null && cert === null && isLocal(address))) return credentials.createInsecure();
  try {
    return sslCredentials(address, { ca, cert, key });
  } catch (error) {
    throw usageFault(`--ca, --cert and --key must be PEM, and the key the certificate's: ${(error as Error).message}`);
  }
};

/** What else speaks, or does not, on the port that was tried. */
const next = (message: string): string => {
  if (/wrong version number/i.test(message)) return 'That port does not speak TLS: leave out --ca, --cert and --key, or add --plaintext.';
  if (/Protocol error|Parse Error/i.test(message))
    return 'That port does not speak gRPC: the hub speaks it on GRPC_PORT, 50052 by default.';
  return 'Is the hub running there? A port with TLS needs --ca, or --cert and --key.';
};

/** Code, reason, sentence, fields: what somebody at a terminal needs. */
const printFault = (error: ServiceError, address: string): string => {
  const { code, reason, message, violations } = faultOf(error);
  // Nobody of ours has spoken.
  if (code === 'UNAVAILABLE' && reason === '')
    return `UNAVAILABLE: no connection to ${address}: ${message.replace(/\.? Resolution note: *$/, '').trim()}\n  ${next(message)}`;
  const fields = violations.filter((one) => !message.endsWith(`${one.field}: ${one.description}`));
  return `${code}${reason === '' ? '' : ` / ${reason}`}: ${message}${fields.map((one) => `\n  ${one.field}: ${one.description}`).join('')}`;
};

const patienceOf = (given: string): number => {
  const value = Number(given);
  if (!(value > 0 && value <= 3600)) throw usageFault('--timeout must be a number of seconds, up to 3600');
  return value * 1000;
};

export const ASK_HELP = `  -a, --address HOST:PORT   default: what bootstrap.json says, else 127.0.0.1:50052; unix:PATH works
  -t, --token TOKEN         access token or API key; '' sends none. Default: SECURITY_HUB_TOKEN, else, on this machine and
                            without --cert, the token in bootstrap.json
      --ca FILE             PEM of the authorities to verify the hub with; default: those of this machine
      --cert, --key FILE    PEM of a client certificate and its key, for mTLS
      --plaintext           no TLS (the default on this machine without --ca and --cert)
      --data-dir DIR        where bootstrap.json is; default DATA_DIR or ./data
      --timeout SECONDS     default 10`;

const text = (values: AskValues, name: string): string | undefined => {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
};

/** JSON in, and the answer as JSON. UNAVAILABLE / CALL_FAILED says code, reason and fields in words; a slip in the words is a usage fault. */
export const ask = async (name: string, request: string, values: AskValues, terminal: Terminal): Promise<JsonValue> => {
  const bootstrap = bootstrapOf(text(values, 'data-dir') ?? terminal.env['DATA_DIR'] ?? './data');
  const address = text(values, 'address') ?? bootstrap.grpc ?? '127.0.0.1:50052';
  // What a development start left behind is nobody else's business.
  const ours = values['cert'] === undefined && isLocal(address) ? bootstrap.access_token : '';
  const token = text(values, 'token') ?? terminal.env['SECURITY_HUB_TOKEN'] ?? ours ?? '';
  const { definition, desc } = resolveMethod(name);
  const patience = patienceOf(text(values, 'timeout') ?? '10');
  const channel = channelOf(values, address);
  const bytes = requestBytes(desc, request);

  const metadata = new Metadata();
  if (token !== '') metadata.set('authorization', `Bearer ${token}`);
  const Client = makeGenericClientConstructor({}, 'call');
  const client = new Client(address, channel, { 'grpc.enable_http_proxy': 0, ...sslOptions(address) });
  const deadline = Date.now() + patience;
  const raw = (value: Buffer): Buffer => value;
  try {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(definition.path, raw, raw, bytes, metadata, { deadline }, (error, value) =>
        error === null ? resolve(value ?? Buffer.alloc(0)) : reject(error),
      );
    });
    return toJson(desc.output, fromBinary(desc.output, answer), { registry: descriptors().registry, alwaysEmitImplicit: true });
  } catch (error) {
    throw new Fault('UNAVAILABLE', 'CALL_FAILED', printFault(error as ServiceError, address));
  } finally {
    client.close();
  }
};
