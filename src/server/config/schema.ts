// The whole configuration: every slice under the name of its room. A new capability adds one line here.
import { apiKeysConfig } from '../../api-keys/api-keys.config.ts';
import { auditConfig } from '../../audit/audit.config.ts';
import { authorizationConfig } from '../../authorization/authorization.config.ts';
import { certificatesConfig } from '../../certificates/certificates.config.ts';
import { encryptionConfig } from '../../encryption/encryption.config.ts';
import { hubConfig } from '../../hub/hub.config.ts';
import { identityConfig } from '../../identity/identity.config.ts';
import { issuersConfig } from '../../issuers/issuers.config.ts';
import { storageConfig } from '../../storage/storage.config.ts';
import { tokensConfig } from '../../tokens/tokens.config.ts';
import { grpcConfig } from '../grpc/grpc.config.ts';
import { budgetsConfig } from '../rpc/budgets.config.ts';
import { type ConfigOf, load, type Loaded, type Schema, type Sources } from './load.ts';
import { reservedConfig } from './reserved.config.ts';
import { serverConfig } from './server.config.ts';

export const schema = {
  server: serverConfig,
  grpc: grpcConfig,
  budgets: budgetsConfig,
  storage: storageConfig,
  tokens: tokensConfig,
  hub: hubConfig,
  identity: identityConfig,
  apiKeys: apiKeysConfig,
  authorization: authorizationConfig,
  encryption: encryptionConfig,
  certificates: certificatesConfig,
  audit: auditConfig,
  issuers: issuersConfig,
  reserved: reservedConfig,
} as const satisfies Schema;

export type Config = ConfigOf<typeof schema>;

/** The configuration of this process, or every problem in one Fault (FAILED_PRECONDITION / CONFIG_INVALID). */
export const loadConfig = (sources: Sources, flagProblems: readonly string[] = []): Loaded<typeof schema> =>
  load(schema, sources, flagProblems);
