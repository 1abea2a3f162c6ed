// The API's own description: every .proto file with comments and options, as buf compiled it. Read once a process, at first use.
import { readFileSync } from 'node:fs';
import { create, createFileRegistry, type DescMethod, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

export interface Descriptors {
  readonly registry: FileRegistry;
  /** `securityhub.v1.SecurityHub/ValidateToken`, with or without a slash in front. */
  method(path: string): DescMethod | undefined;
}

/** The serialized google.protobuf.FileDescriptorSet; it stands in src/gen and, compiled, in dist/gen. */
export const descriptorBytes = (): Buffer => readFileSync(new URL('../../gen/descriptors.binpb', import.meta.url));

// Fields of FileDescriptorSet and FileDescriptorProto (google/protobuf/descriptor.proto).
const FILE = 1;
const SOURCE_CODE_INFO = 9;

/** The serialized FileDescriptorProto of each file. */
export const filesIn = (set: Uint8Array): readonly Uint8Array[] => {
  const reader = new BinaryReader(set);
  const files: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === FILE) files.push(reader.bytes());
    else reader.skip(type, field);
  }
  return files;
};

/** Without its comments: they are for reflection, which serves the original bytes; decoded, they would be most of the memory. */
const withoutComments = (file: Uint8Array): Uint8Array => {
  const reader = new BinaryReader(file);
  const kept: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, type] = reader.tag();
    reader.skip(type, field);
    if (field !== SOURCE_CODE_INFO) kept.push(file.subarray(start, reader.pos));
  }
  return Buffer.concat(kept);
};

export const readDescriptors = (bytes: Uint8Array): Descriptors => {
  const file = filesIn(bytes).map((one) => fromBinary(FileDescriptorProtoSchema, withoutComments(one)));
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
  const methods = new Map<string, DescMethod>();
  for (const type of registry) {
    if (type.kind !== 'service') continue;
    for (const method of type.methods) methods.set(`${type.typeName}/${method.name}`, method);
  }
  return { registry, method: (path) => methods.get(path.startsWith('/') ? path.slice(1) : path) };
};

let loaded: Descriptors | null = null;

export const descriptors = (): Descriptors => {
  loaded ??= readDescriptors(descriptorBytes());
  return loaded;
};
