// The echo runs with the very options of the hub's own server.
export { SERVER_OPTIONS } from '../../src/server/grpc/options.ts';
