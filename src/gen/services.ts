// Generated: every service of the contract. DO NOT EDIT.

import * as apiKey from './securityhub/v1/api_key.ts';
import * as audit from './securityhub/v1/audit.ts';
import * as authentication from './securityhub/v1/authentication.ts';
import * as authorization from './securityhub/v1/authorization.ts';
import * as certificate from './securityhub/v1/certificate.ts';
import * as encryption from './securityhub/v1/encryption.ts';
import * as policy from './securityhub/v1/policy.ts';
import * as securityHub from './securityhub/v1/security_hub.ts';
import * as tenant from './securityhub/v1/tenant.ts';
import * as token from './securityhub/v1/token.ts';
import * as trustedIssuer from './securityhub/v1/trusted_issuer.ts';
import * as user from './securityhub/v1/user.ts';
import * as workload from './securityhub/v1/workload.ts';

export const SERVICES = {
  apiKey: { definition: apiKey.ApiKeyServiceService, module: apiKey },
  audit: { definition: audit.AuditServiceService, module: audit },
  authentication: { definition: authentication.AuthenticationServiceService, module: authentication },
  authorization: { definition: authorization.AuthorizationServiceService, module: { ...authorization, ...policy } },
  certificate: { definition: certificate.CertificateServiceService, module: certificate },
  encryption: { definition: encryption.EncryptionServiceService, module: encryption },
  securityHub: { definition: securityHub.SecurityHubService, module: securityHub },
  tenant: { definition: tenant.TenantServiceService, module: tenant },
  token: { definition: token.TokenServiceService, module: token },
  trustedIssuer: { definition: trustedIssuer.TrustedIssuerServiceService, module: trustedIssuer },
  user: { definition: user.UserServiceService, module: user },
  workload: { definition: workload.WorkloadServiceService, module: workload },
} as const;
