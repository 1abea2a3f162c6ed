// What the benchmark asks: requests as bytes for each row of the budget table.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoginRequest, LoginResponse } from '../../src/gen/securityhub/v1/authentication.ts';
import {
  BatchCheckRequest,
  CheckPermissionRequest,
  DecryptRequest,
  EncryptRequest,
  EncryptResponse,
  IssueServiceCertRequest,
  ValidateTokenRequest,
} from '../../src/gen/securityhub/v1/security_hub.ts';
import { RefreshTokenRequest, RefreshTokenResponse, type Tokens } from '../../src/gen/securityhub/v1/token.ts';
import { type Caller, openCaller } from './driver.ts';
import type { Row } from './measure.ts';

export interface Setting {
  /** host:port */
  readonly grpc: string;
  readonly username: string;
  readonly password: string;
  readonly tenantId: string;
}

const HUB = '/securityhub.v1.SecurityHub';
export const BATCH = `${HUB}/BatchCheck`;
const bytes = (message: { finish(): Uint8Array }): Buffer => Buffer.from(message.finish());

/** Logs the administrator in. */
export const login = async (caller: Caller, setting: Setting): Promise<Tokens> => {
  const { tenantId, username, password } = setting;
  const request = bytes(LoginRequest.encode(LoginRequest.fromPartial({ tenantId, username, password })));
  const { tokens } = LoginResponse.decode(await caller.call('/securityhub.v1.AuthenticationService/Login', request));
  if (tokens === undefined) throw new Error('the login gave no tokens');
  return tokens;
};

const CHAINS = 8;

/** Distinct access tokens, by logging in a few times and refreshing each session many times. */
export const accessTokens = async (caller: Caller, setting: Setting, count: number): Promise<string[]> => {
  const chain = async (): Promise<string[]> => {
    let { refreshToken } = await login(caller, setting);
    const found: string[] = [];
    while (found.length < count / CHAINS) {
      const request = bytes(RefreshTokenRequest.encode(RefreshTokenRequest.fromPartial({ refreshToken })));
      const { tokens } = RefreshTokenResponse.decode(await caller.call('/securityhub.v1.TokenService/RefreshToken', request));
      found.push(tokens?.accessToken ?? '');
      refreshToken = tokens?.refreshToken ?? '';
    }
    return found;
  };
  return (await Promise.all(Array.from({ length: CHAINS }, chain))).flat();
};

const csr = (): Buffer => {
  const folder = mkdtempSync(join(tmpdir(), 'security-hub-csr-'));
  const [key, request] = [join(folder, 'key.pem'), join(folder, 'csr.pem')];
  execFileSync(
    'openssl',
    ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', request, '-subj', '/'],
    { stdio: 'ignore' },
  );
  return readFileSync(request);
};

export const validate = (token: string): Buffer =>
  bytes(ValidateTokenRequest.encode(ValidateTokenRequest.fromPartial({ token, audience: 'security-hub' })));

const check = (id: number): object => ({
  id: String(id),
  action: id % 2 === 0 ? 'read' : 'write',
  resource: { type: ['conversations', 'users', 'config', 'analytics'][id % 4] ?? '', id: `r${id}` },
});

export const roleBatch = bytes(
  BatchCheckRequest.encode(BatchCheckRequest.fromPartial({ checks: Array.from({ length: 1000 }, (_, id) => check(id)) })),
);

/** Rows of callers with a bearer token. */
export const bearerRows = async (setting: Setting): Promise<readonly Row[]> => {
  const caller = await openCaller(setting.grpc);
  const { accessToken } = await login(caller, setting);
  const headers = { authorization: `Bearer ${accessToken}` };
  const plaintext = Buffer.alloc(1024, 7);
  const seal = bytes(EncryptRequest.encode(EncryptRequest.fromPartial({ plaintext, context: { purpose: 'bench' } })));
  const sealed = EncryptResponse.decode(await caller.call(`${HUB}/Encrypt`, seal, accessToken)).ciphertext;
  const many = await accessTokens(caller, setting, 10_000);
  caller.close();
  return [
    { name: 'ValidateToken, 1 token', path: `${HUB}/ValidateToken`, requests: [validate(accessToken)], headers, ratio: 0.8 },
    { name: 'ValidateToken, 10,000 tokens', path: `${HUB}/ValidateToken`, requests: many.map(validate), headers, ratio: 0.8 },
    {
      name: 'CheckPermission',
      path: `${HUB}/CheckPermission`,
      requests: [
        bytes(
          CheckPermissionRequest.encode(
            CheckPermissionRequest.fromPartial({ action: 'read', resource: { type: 'conversations', id: 'c1' } }),
          ),
        ),
      ],
      headers,
      ratio: 0.75,
    },
    {
      name: 'BatchCheck of 1,000 (decisions)',
      path: BATCH,
      requests: [roleBatch],
      headers,
      rate: 600_000,
      per: 1000,
      connections: 2,
      streams: 4,
    },
    { name: 'Encrypt 1 KiB', path: `${HUB}/Encrypt`, requests: [seal], headers, ratio: 0.6, connections: 4 },
    {
      name: 'Decrypt 1 KiB',
      path: `${HUB}/Decrypt`,
      requests: [bytes(DecryptRequest.encode(DecryptRequest.fromPartial({ ciphertext: sealed, context: { purpose: 'bench' } })))],
      headers,
      ratio: 0.55,
      connections: 4,
    },
    {
      name: 'IssueServiceCert, P-256 CSR',
      path: `${HUB}/IssueServiceCert`,
      requests: [
        bytes(
          IssueServiceCertRequest.encode(IssueServiceCertRequest.fromPartial({ service: 'billing', namespace: 'default', csr: csr() })),
        ),
      ],
      headers,
      rate: 1000,
      connections: 4,
    },
  ];
};
