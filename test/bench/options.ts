// The echo runs with the very options of the hub's own server on loopback.
import { serverOptions } from '../../src/server/grpc/options.ts';

export const SERVER_OPTIONS = serverOptions('near');
