// What the published package offers.
export { Fault, type Code, type FieldViolation } from '../base/fault.ts';
export { type Client, createClient } from './client.ts';
export type { CallOptions, ClientOptions, CredentialProvider, LocalMode, LocalState, TlsFiles } from './options.ts';
export { expressGuard } from './express.ts';
export { fastifyGuard } from './fastify.ts';
export { grpcGuard } from './guard.grpc.ts';
export { durationOf, type Principal, principalOf, type Requirement, type Requirements } from './guard.ts';
export { hasPermission, hasRole, isActive } from './subject.ts';
export { type Columns, maskRow, maskValue, rowFilterSql, type SqlCondition } from './row-filter.ts';
export { type HttpGuardOptions, SECURITY_HEADERS } from './http-guard.ts';
export { Effect } from '../gen/securityhub/v1/authorization.ts';
export { KeyType } from '../gen/securityhub/v1/certificate.ts';
export { MaskType } from '../gen/securityhub/v1/data_access.ts';
export { TokenType, Verdict } from '../gen/securityhub/v1/token.ts';
