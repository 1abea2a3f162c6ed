// A grpc-js server that stands in for a hub where a test must decide what the hub says.
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { Fault } from '../../src/base/fault.ts';
import { SERVICES } from '../../src/gen/services.ts';
import { statusOf } from '../../src/server/grpc/status.ts';
import type { Issued } from '../wire/grpc-authority.ts';

type Call = ServerUnaryCall<unknown, unknown>;
/** The answer, or a Fault that is thrown. */
export type Answer = (call: Call) => object | Promise<object>;

export interface StandIn {
  readonly address: string;
  readonly port: number;
  stop(): void;
}

const unary =
  (answer: Answer) =>
  (call: Call, callback: sendUnaryData<unknown>): void => {
    const give = async (): Promise<object> => answer(call);
    give().then(
      (value) => callback(null, value),
      (error: unknown) => callback(error instanceof Fault ? statusOf(error, '') : { code: 13 }),
    );
  };

/** `answers`: by method, as `securityHub.validateToken`. `port` 0 = any. */
export const startStandIn = async (
  answers: Readonly<Record<string, Answer>>,
  options: { readonly port?: number; readonly ca?: string; readonly issued?: Issued } = {},
): Promise<StandIn> => {
  const server = new Server();
  for (const [service, { definition }] of Object.entries(SERVICES)) {
    const handlers = Object.entries(answers)
      .filter(([name]) => name.startsWith(`${service}.`))
      .map(([name, answer]) => [name.slice(service.length + 1), unary(answer)] as const);
    if (handlers.length > 0) server.addService(definition, Object.fromEntries(handlers) as UntypedServiceImplementation);
  }
  const { issued, ca } = options;
  const credentials =
    issued === undefined || ca === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          Buffer.from(ca),
          [{ private_key: Buffer.from(issued.key), cert_chain: Buffer.from(issued.certificate) }],
          true,
        );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { address: `127.0.0.1:${port}`, port, stop: () => server.forceShutdown() };
};
