// A unary gRPC method whose messages are bytes as they are: for servers that stand in for somebody's own.
const raw = (value: Buffer): Buffer => value;

export const rawMethod = (path: string) =>
  ({
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  }) as const;
