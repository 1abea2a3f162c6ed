// Development starts: the tenant dev with its administrator, once; a fresh access token and lines to copy, every time.
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { App } from '../app.ts';
import { makeFolder } from '../base/folder.ts';
import { hours } from '../base/time.ts';
import { isLoopbackHost } from '../base/address.ts';
import { tlsWanted } from '../server/config/refusals.ts';
import type { Config } from '../server/config/schema.ts';
import type { FirstCreated } from '../identity/identity.ts';
import type { Terminal } from './command.ts';
import { localCall } from './local-call.ts';
import { answersAt } from './neighbour.ts';

const TENANT = 'dev';
const ADMIN = 'admin';

interface Bootstrap {
  readonly grpc: string;
  readonly http: string;
  readonly tenant_id: string;
  readonly username: string;
  readonly password: string;
  readonly access_token: string;
  readonly api_key: string;
}

/** Whole or not at all, and never readable by others. */
const writePrivately = (path: string, text: string): void => {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, path);
};

const earlier = <T>(path: string): Partial<T> => {
  try {
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Partial<T>) : {};
  } catch {
    return {};
  }
};

/** How somebody on this machine reaches a port that listens on `host`. */
const here = (host: string, port: number): string => {
  const address = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
};

const spokenIn = ({ server }: Config, host: string): boolean =>
  tlsWanted({ production: server.environment === 'production', tls: server.tls }, host);

const banner = ({ grpc, http, password }: Bootstrap, path: string, app: App): string => {
  const { postgres, redis } = app.about;
  const { server } = app.config;
  const alone = [server.grpcHost, server.httpHost].every(isLoopbackHost);
  // With a certificate of our own authority, which nothing on this machine trusts yet.
  const [flag, lax] = [spokenIn(app.config, server.grpcHost) ? '-insecure' : '-plaintext', http.startsWith('https') ? 'k' : ''];
  const token = `$(node -p 'require("${path}").access_token')`;
  return [
    '',
    `Security Hub is ready: gRPC ${grpc}, HTTP ${http}${alone ? ', for this machine only' : ''}`,
    `  stores   Postgres ${postgres === 'embedded' ? `embedded in ${app.config.server.dataDir}` : 'as POSTGRES_URI says'}, Redis ${redis === 'memory' ? 'in this process' : 'as REDIS_URL says'}`,
    `  tenant   ${TENANT}, administrator ${ADMIN}${password === '' ? ' (its password and API key were printed by the replica that started first)' : ''}`,
    `  secrets  ${path}`,
    '',
    'Copy:',
    `  export TOKEN="${token}"`,
    `  grpcurl ${flag} -H "authorization: Bearer $TOKEN" -d "{\\"token\\":\\"$TOKEN\\"}" ${grpc} securityhub.v1.SecurityHub/ValidateToken`,
    `  curl -s${lax} ${http}/securityhub.v1.SecurityHub/CheckPermission -H 'content-type: application/json' -H "authorization: Bearer $TOKEN" -d '{"action":"read","resource":{"type":"conversations"}}'`,
    '',
  ].join('\n');
};

export const firstStart = async (app: App, terminal: Terminal): Promise<void> => {
  const { config } = app;
  makeFolder(config.server.dataDir, 0o700);
  const path = resolve(join(config.server.dataDir, 'bootstrap.json'));
  const { identity, apiKeys, tokens, platform } = app;
  // On disk before the database has them: a process killed in between must not take the administrator's password with it.
  const draft = `${path}.first`;
  const created = await identity.bootstrap(
    { tenantId: TENANT, namespaces: ['default'], username: ADMIN, password: '', roles: ['owner', 'operator'] },
    localCall('serve', platform.random),
    apiKeys.firstKey(['*:*', 'installation:tenants']),
    (secrets) => writePrivately(draft, JSON.stringify(secrets)),
  );
  const userId = created?.userId ?? (await identity.userIdOf(TENANT, ADMIN));
  const drafted = earlier<FirstCreated>(draft);
  // Of the administrator there is, not of one whose transaction never came to its end.
  const first = created ?? (drafted.userId === userId ? drafted : null);
  const before = earlier<Bootstrap>(path);
  const minted = await tokens.mint({
    tenantId: TENANT,
    userId,
    role: 'owner',
    scopes: [],
    authMethod: 'password',
    mfaVerified: false,
    device: null,
    ipAddress: '',
    life: hours(12),
  });
  const written: Bootstrap = {
    grpc: here(config.server.grpcHost, app.ports.grpc),
    http: `http${spokenIn(config, config.server.httpHost) ? 's' : ''}://${here(config.server.httpHost, app.ports.http)}`,
    tenant_id: TENANT,
    username: ADMIN,
    password: first?.password ?? before.password ?? '',
    access_token: minted.accessToken,
    api_key: first?.apiKey ?? before.api_key ?? '',
  };
  const { grpc: there = '' } = before;
  if (there !== written.grpc && (await answersAt(there)))
    terminal.err(
      `warning: another hub still answers at ${there}, which ${path} named until now. Give each hub on this machine a DATA_DIR of its own.`,
    );
  writePrivately(path, `${JSON.stringify(written, null, 2)}\n`);
  rmSync(draft, { force: true });
  terminal.out(banner(written, path, app));
};
