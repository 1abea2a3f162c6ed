// REDIS_URL: one server, Sentinels, or a Cluster.

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export type RedisTarget =
  | { readonly kind: 'single'; readonly url: string }
  | {
      readonly kind: 'sentinel' | 'cluster';
      readonly nodes: readonly RedisAddress[];
      /** Sentinel's name of the master; '' for a cluster. */
      readonly name: string;
      readonly database: number;
      readonly username: string;
      readonly password: string;
      readonly tls: boolean;
    };

export const REDIS_URL_FORMS =
  'redis://[user:password@]host:port/db, rediss:// for TLS, redis-sentinel://host:26379,host:26379/name[/db] or redis-cluster://host:port,host:port (with rediss- for TLS)';

const MANY = /^(rediss?)-(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/]+)(?:\/([^/]*))?(?:\/(\d+))?$/;

const addressOf = (text: string, port: number): RedisAddress => {
  const url = new URL(`redis://${text}`);
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port === '' ? port : Number(url.port) };
};

/** Null for what is none of `REDIS_URL_FORMS`. */
export const parseRedisUrl = (text: string): RedisTarget | null => {
  if (/^rediss?:\/\//.test(text)) return URL.canParse(text) ? { kind: 'single', url: text } : null;
  const [, scheme, kind, credentials = '', hosts = '', name = '', database = '0'] = MANY.exec(text) ?? [];
  if (kind !== 'sentinel' && kind !== 'cluster') return null;
  if (kind === 'sentinel' && name === '') return null;
  const parts = hosts.split(',');
  if (!parts.every((host) => URL.canParse(`redis://${host}`))) return null;
  const [username = '', password = ''] = credentials.includes(':') ? credentials.split(':') : ['', credentials];
  return {
    kind,
    nodes: parts.map((host) => addressOf(host, kind === 'sentinel' ? 26379 : 6379)),
    name,
    database: Number(database),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    tls: scheme === 'rediss',
  };
};
