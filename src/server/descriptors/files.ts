// The original .proto files for reflection: by name, by symbol, by extension, each with what it imports. Read at first use.
import type { DescMessage, FileRegistry } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { type Descriptors, filesIn } from './registry.ts';

export interface ProtoFiles {
  /** Serialized FileDescriptorProto of the file and of all it imports, the file first; null when there is no such file. */
  withImports(name: string): readonly { readonly name: string; readonly bytes: Uint8Array }[] | null;
  /** The file that declares a package's service, method, type, field, oneof, enum value or extension. */
  ofSymbol(symbol: string): string | null;
  ofExtension(type: string, number: number): string | null;
  /** Ascending; null when there is no such type. */
  extensionsOf(type: string): readonly number[] | null;
}

// Fields of FileDescriptorProto (google/protobuf/descriptor.proto).
const NAME = 1;
const DEPENDENCY = 3;

interface File {
  readonly bytes: Uint8Array;
  readonly imports: readonly string[];
}

const readFile = (bytes: Uint8Array): readonly [string, File] => {
  const reader = new BinaryReader(bytes);
  const imports: string[] = [];
  let name = '';
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === NAME) name = reader.string();
    else if (field === DEPENDENCY) imports.push(reader.string());
    else reader.skip(type, field);
  }
  return [name, { bytes, imports }];
};

const symbolsOf = (registry: FileRegistry): Map<string, string> => {
  const symbols = new Map<string, string>();
  for (const file of registry.files) {
    const put = (symbol: string): void => void symbols.set(symbol, file.proto.name);
    const message = (type: DescMessage): void => {
      put(type.typeName);
      for (const member of [...type.fields, ...type.oneofs]) put(`${type.typeName}.${member.name}`);
      type.nestedMessages.forEach(message);
      type.nestedEnums.forEach(({ typeName }) => put(typeName));
      type.nestedExtensions.forEach(({ typeName }) => put(typeName));
    };
    file.messages.forEach(message);
    file.extensions.forEach(({ typeName }) => put(typeName));
    for (const service of file.services) {
      put(service.typeName);
      for (const method of service.methods) put(`${service.typeName}.${method.name}`);
    }
    for (const type of file.enums) {
      put(type.typeName);
      // A value stands beside its enum, not inside it (descriptor.proto, EnumValueDescriptorProto).
      for (const value of type.values) put([file.proto.package, value.name].filter((part) => part !== '').join('.'));
    }
  }
  return symbols;
};

export const readProtoFiles = (set: Uint8Array, { registry }: Descriptors): ProtoFiles => {
  const files = new Map(filesIn(set).map(readFile));
  const symbols = symbolsOf(registry);
  const extensions = new Map<string, Map<number, string>>();
  for (const type of registry) {
    if (type.kind !== 'extension') continue;
    const numbers = extensions.get(type.extendee.typeName) ?? new Map<number, string>();
    extensions.set(type.extendee.typeName, numbers.set(type.number, type.file.proto.name));
  }
  return {
    withImports(name) {
      if (!files.has(name)) return null;
      // A set keeps the order of insertion and grows while it is walked.
      const names = new Set([name]);
      for (const one of names) files.get(one)?.imports.forEach((other) => names.add(other));
      return [...names].flatMap((one) => {
        const file = files.get(one);
        return file === undefined ? [] : [{ name: one, bytes: file.bytes }];
      });
    },
    ofSymbol: (symbol) => symbols.get(symbol) ?? null,
    ofExtension: (type, number) => extensions.get(type)?.get(number) ?? null,
    extensionsOf: (type) =>
      registry.getMessage(type) === undefined ? null : [...(extensions.get(type)?.keys() ?? [])].sort((a, b) => a - b),
  };
};
