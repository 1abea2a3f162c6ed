// grpc.reflection v1 and v1alpha over the original descriptors: comments, options and imports as buf wrote them.
import type { Call, Peer } from '../../base/call.ts';
import type { Caller } from '../../base/caller.ts';
import { Fault } from '../../base/fault.ts';
import { minutes } from '../../base/time.ts';
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService as V1,
} from '../../gen/grpc/reflection/v1/reflection.ts';
import { ServerReflectionService as V1Alpha } from '../../gen/grpc/reflection/v1alpha/reflection.ts';
import type { ProtoFiles } from '../descriptors/files.ts';
import { type Service, service } from '../rpc/define.ts';

export type ReflectionMode = 'on' | 'authenticated' | 'off';

/** `authenticated`: open on loopback and to everyone who proved who it is. */
export const reflectionAllowed =
  (mode: ReflectionMode) =>
  (peer: Peer, caller: Caller): boolean =>
    mode === 'on' || (mode === 'authenticated' && (peer.loopback || caller.kind !== 'anonymous'));

export interface ReflectionPorts {
  readonly allowed: (peer: Peer, caller: Caller) => boolean;
  /** Full names of the services that are served here. */
  readonly services: () => readonly string[];
  /** Made at the first question. */
  readonly files: () => ProtoFiles;
}

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

// grpc::StatusCode, as ErrorResponse carries it.
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;

const failure = (errorCode: number, errorMessage: string): Answer => ({ $case: 'errorResponse', value: { errorCode, errorMessage } });

/** The file and its imports; an import that went out on this stream before is not repeated (reflection.proto, FileDescriptorResponse). */
const fileAnswer = (files: ProtoFiles, name: string | null, sent: Set<string>): Answer => {
  const found = name === null ? null : files.withImports(name);
  if (found === null) return failure(NOT_FOUND, 'nothing of this name is described here');
  const fresh = found.filter((file, at) => at === 0 || !sent.has(file.name));
  for (const file of fresh) sent.add(file.name);
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: fresh.map(({ bytes }) => Buffer.from(bytes)) } };
};

const answerTo = (ports: ReflectionPorts, { messageRequest: question }: ServerReflectionRequest, sent: Set<string>): Answer => {
  const files = ports.files();
  switch (question?.$case) {
    case 'listServices':
      return { $case: 'listServicesResponse', value: { service: ports.services().map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileAnswer(files, question.value, sent);
    case 'fileContainingSymbol':
      return fileAnswer(files, files.ofSymbol(question.value), sent);
    case 'fileContainingExtension':
      return fileAnswer(files, files.ofExtension(question.value.containingType, question.value.extensionNumber), sent);
    case 'allExtensionNumbersOfType': {
      const extensionNumber = files.extensionsOf(question.value);
      if (extensionNumber === null) return failure(NOT_FOUND, 'no type of this name is described here');
      return { $case: 'allExtensionNumbersResponse', value: { baseTypeName: question.value, extensionNumber: [...extensionNumber] } };
    }
    case undefined:
      return failure(INVALID_ARGUMENT, 'the question is missing');
  }
};

/** Both versions, as rows of the method table; they say the same. */
export const createReflection = (given: ReflectionPorts): readonly Service[] => {
  let files: ProtoFiles | null = null;
  const ports: ReflectionPorts = { ...given, files: () => (files ??= given.files()) };
  async function* converse(requests: AsyncIterable<ServerReflectionRequest>, call: Call): AsyncGenerator<ServerReflectionResponse> {
    if (!ports.allowed(call.peer, call.caller))
      throw new Fault('UNAUTHENTICATED', 'CREDENTIALS_MISSING', 'the API description is shown to authenticated callers only');
    const sent = new Set<string>();
    for await (const request of requests)
      yield { validHost: request.host, originalRequest: request, messageResponse: answerTo(ports, request, sent) };
  }
  const row = { access: 'anonymous', audit: 'none', limit: 'stream', idempotency: 'safe', deadline: minutes(5), converse } as const;
  return [service(V1, { serverReflectionInfo: row }), service(V1Alpha, { serverReflectionInfo: row })];
};
