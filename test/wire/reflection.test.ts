// Reflection over a real gRPC socket: every question, both versions, original bytes, every import.
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Peer } from '../../src/base/call.ts';
import type { Caller } from '../../src/base/caller.ts';
import { ServerReflectionRequest, ServerReflectionResponse } from '../../src/gen/grpc/reflection/v1/reflection.ts';
import { readProtoFiles } from '../../src/server/descriptors/files.ts';
import { descriptorBytes, descriptors } from '../../src/server/descriptors/registry.ts';
import { createReflection, reflectionAllowed } from '../../src/server/grpc/reflection.ts';
import { createGrpcServer } from '../../src/server/grpc/server.ts';
import { toyInvoker } from './http-toy.ts';

const SERVED = ['securityhub.v1.SecurityHub', 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection'];
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const start = async (allowed: (peer: Peer, caller: Caller) => boolean = () => true) => {
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const files = () => readProtoFiles(descriptorBytes(), descriptors());
  const services = createReflection({ allowed, services: () => SERVED, files });
  const { invoker } = await toyInvoker({ services }, log);
  const server = createGrpcServer({ invoker, log, host: '127.0.0.1', port: 0, socket: '', tls: null, maxConnections: 10 });
  const port = await server.start();
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  ends.push(async () => {
    client.close();
    await server.stop(100);
  });
  return client;
};

type Question = NonNullable<ServerReflectionRequest['messageRequest']>;
type Answer = ServerReflectionResponse['messageResponse'];

/** Asks all questions on one stream. */
const ask = (client: Client, questions: readonly Question[], version = 'v1', authorization = ''): Promise<Answer[]> =>
  new Promise((resolve, reject) => {
    const metadata = new Metadata();
    if (authorization !== '') metadata.set('authorization', authorization);
    const stream = client.makeBidiStreamRequest<Buffer, Buffer>(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      (bytes) => bytes,
      (bytes) => bytes,
      metadata,
    );
    const answers: Answer[] = [];
    stream.on('data', (bytes: Buffer) => answers.push(ServerReflectionResponse.decode(bytes).messageResponse));
    stream.on('error', reject);
    stream.on('end', () => resolve(answers));
    for (const messageRequest of questions)
      stream.write(Buffer.from(ServerReflectionRequest.encode({ host: 'hub', messageRequest }).finish()));
    stream.end();
  });

const filesOf = (answer: Answer | undefined): FileDescriptorProto[] =>
  answer?.$case === 'fileDescriptorResponse'
    ? answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
    : [];

const symbol = (value: string): Question => ({ $case: 'fileContainingSymbol', value });

describe('reflection', () => {
  it.each(['v1', 'v1alpha'])('%s lists the services that are served', async (version) => {
    const [answer] = await ask(await start(), [{ $case: 'listServices', value: '*' }], version);
    expect(answer).toEqual({ $case: 'listServicesResponse', value: { service: SERVED.map((name) => ({ name })) } });
  });

  it.each([
    ['a service', 'securityhub.v1.SecurityHub', 'securityhub/v1/security_hub.proto'],
    ['a method', 'securityhub.v1.SecurityHub.ValidateToken', 'securityhub/v1/security_hub.proto'],
    ['a message', 'securityhub.v1.ValidateTokenRequest', 'securityhub/v1/security_hub.proto'],
    ['a field', 'securityhub.v1.ValidateTokenRequest.token', 'securityhub/v1/security_hub.proto'],
    ['an enum of another file', 'google.rpc.Code', 'google/rpc/code.proto'],
    ['a value of an enum', 'google.rpc.NOT_FOUND', 'google/rpc/code.proto'],
    ['a nested type', 'google.rpc.BadRequest.FieldViolation', 'google/rpc/error_details.proto'],
    ['an extension', 'buf.validate.field', 'buf/validate/validate.proto'],
    ['a well-known type', 'google.protobuf.Struct', 'google/protobuf/struct.proto'],
    ['itself', 'grpc.reflection.v1alpha.ServerReflection', 'grpc/reflection/v1alpha/reflection.proto'],
  ])('finds the file of %s', async (_, name, file) => {
    const [answer] = await ask(await start(), [symbol(name)]);
    expect(filesOf(answer)[0]?.name).toBe(file);
  });

  it('sends every import along, so that the whole can be linked', async () => {
    const [answer] = await ask(await start(), [symbol('securityhub.v1.SecurityHub')]);
    const files = filesOf(answer);
    const byName = new Map(files.map((file) => [file.name, file]));
    const linked = new Map<string, FileDescriptorProto>();
    const link = (name: string): void => {
      const file = byName.get(name);
      if (file === undefined) throw new Error(`${name} was not sent`);
      if (linked.has(name)) return;
      file.dependency.forEach(link);
      linked.set(name, file);
    };
    link('securityhub/v1/security_hub.proto');
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...linked.values()] }));
    expect(registry.getService('securityhub.v1.SecurityHub')?.methods).toHaveLength(6);
  });

  it('keeps comments and options', async () => {
    const [answer] = await ask(await start(), [symbol('securityhub.v1.SecurityHub')]);
    const [file] = filesOf(answer);
    expect(file?.sourceCodeInfo?.location.some(({ leadingComments }) => leadingComments.includes('Is this credential good'))).toBe(true);
    // An option nobody registered stays as the bytes of field 1159, buf.validate.field.
    const request = file?.messageType.find(({ name }) => name === 'ValidateTokenRequest');
    expect(request?.field[0]?.options?.$unknown?.map(({ no }) => no)).toContain(1159);
  });

  it('does not repeat an import on the same stream', async () => {
    const [first, second] = await ask(await start(), [symbol('securityhub.v1.SecurityHub'), symbol('securityhub.v1.UserService')]);
    const names = filesOf(first).map(({ name }) => name);
    expect(filesOf(second).filter(({ name }) => names.includes(name))).toEqual([]);
  });

  it('answers by file name, by extension and with the extensions of a type', async () => {
    const options = 'google.protobuf.FieldOptions';
    const [file, extension, numbers] = await ask(await start(), [
      { $case: 'fileByFilename', value: 'google/rpc/status.proto' },
      { $case: 'fileContainingExtension', value: { containingType: options, extensionNumber: 1159 } },
      { $case: 'allExtensionNumbersOfType', value: options },
    ]);
    expect(filesOf(file)[0]?.name).toBe('google/rpc/status.proto');
    expect(filesOf(extension)[0]?.name).toBe('buf/validate/validate.proto');
    expect(numbers).toEqual({ $case: 'allExtensionNumbersResponse', value: { baseTypeName: options, extensionNumber: [1159, 1160] } });
  });

  it('says what it does not know, and goes on', async () => {
    const answers = await ask(await start(), [
      symbol('no.such.Thing'),
      { $case: 'fileByFilename', value: 'no.proto' },
      { $case: 'fileContainingExtension', value: { containingType: 'google.protobuf.FieldOptions', extensionNumber: 7 } },
      { $case: 'allExtensionNumbersOfType', value: 'no.such.Thing' },
      { $case: 'listServices', value: '' },
    ]);
    expect(answers.map((answer) => (answer?.$case === 'errorResponse' ? answer.value.errorCode : answer?.$case))).toEqual([
      5,
      5,
      5,
      5,
      'listServicesResponse',
    ]);
  });
});

describe('GRPC_REFLECTION', () => {
  const far: Peer = { transport: 'tcp', address: '10.0.0.9', loopback: false, certificate: null };
  const near: Peer = { ...far, address: '127.0.0.1', loopback: true };
  const nobody: Caller = { kind: 'anonymous' };
  const somebody: Caller = { kind: 'api_key', tenantId: 'acme', keyId: 'k', ownerId: 'u', permissions: [], scopes: [] };

  it.each([
    ['on', far, nobody, true],
    ['authenticated', near, nobody, true],
    ['authenticated', far, somebody, true],
    ['authenticated', far, nobody, false],
    ['off', near, somebody, false],
  ] as const)('%s', (mode, peer, caller, allowed) => {
    expect(reflectionAllowed(mode)(peer, caller)).toBe(allowed);
  });

  it('refuses a stranger with UNAUTHENTICATED, and lets the authenticated in', async () => {
    const client = await start((_, caller) => caller.kind !== 'anonymous');
    await expect(ask(client, [symbol('securityhub.v1.SecurityHub')])).rejects.toMatchObject({ code: 16 });
    expect(filesOf((await ask(client, [symbol('securityhub.v1.SecurityHub')], 'v1', 'Bearer good'))[0]).length).toBeGreaterThan(1);
  });
});
