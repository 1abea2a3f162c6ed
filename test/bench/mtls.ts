// ValidateToken asked by a workload that is known by its certificate, over mTLS; the echo speaks TLS with the same certificate.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IssueServiceCertRequest, IssueServiceCertResponse } from '../../src/gen/securityhub/v1/security_hub.ts';
import { PutWorkloadRequest } from '../../src/gen/securityhub/v1/workload.ts';
import { openCaller } from './driver.ts';
import { measure, type Result } from './measure.ts';
import { startHub } from './processes.ts';
import { login, type Setting, validate } from './rows.ts';

const bytes = (message: { finish(): Uint8Array }): Buffer => Buffer.from(message.finish());

export const mtlsRow = async (env: Readonly<Record<string, string>>, setting: Setting): Promise<Result> => {
  // In the clear first, to register the workload and fetch its certificate.
  const plain = await startHub({ ...env, TLS: 'off', CERT_ALLOW_GENERATED_KEYS: 'true' });
  const caller = await openCaller(plain.grpc);
  const { accessToken } = await login(caller, { ...setting, grpc: plain.grpc });
  const workload = { namespace: 'default', name: 'bench', audiences: ['security-hub'], calls: ['ValidateToken'] };
  await caller.call(
    '/securityhub.v1.WorkloadService/PutWorkload',
    bytes(PutWorkloadRequest.encode(PutWorkloadRequest.fromPartial({ workload }))),
    accessToken,
  );
  const ask = IssueServiceCertRequest.fromPartial({ namespace: 'default', service: 'bench', generateKey: {} });
  const issued = IssueServiceCertResponse.decode(
    await caller.call('/securityhub.v1.SecurityHub/IssueServiceCert', bytes(IssueServiceCertRequest.encode(ask)), accessToken),
  );
  caller.close();
  await plain.stop();

  const folder = mkdtempSync(join(tmpdir(), 'security-hub-mtls-'));
  const files = { key: issued.privateKeyPem, chain: issued.certificatePem, ca: issued.trustBundlePem };
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(folder, `${name}.pem`);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  });
  const hub = await startHub({ ...env, TLS: 'on' });
  const result = await measure(
    {
      name: 'ValidateToken, caller on mTLS (TLS echo)',
      path: '/securityhub.v1.SecurityHub/ValidateToken',
      requests: [validate(accessToken)],
      tls: { key: files.key, cert: files.chain, ca: files.ca, checkServerIdentity: () => undefined },
      echoTls: paths,
      ratio: 0.8,
    },
    hub,
  );
  await hub.stop();
  return result;
};
