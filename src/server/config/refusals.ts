// What production does not start with. Pure; the database role's own rights are checked by the storage at start.
import { isLoopbackHost } from '../../base/address.ts';

export interface Posture {
  readonly production: boolean;
  /** '' where nothing is named: the embedded store. */
  readonly postgresUri: string;
  readonly redisUrl: string;
  /** Whether a master key was given, by file, environment or module. */
  readonly masterKey: boolean;
  readonly grpcHost: string;
  readonly httpHost: string;
  readonly tls: 'auto' | 'on' | 'off';
  readonly tlsCertPath: string;
  readonly tlsKeyPath: string;
  /** The ports that are opened; 0 takes a free one. */
  readonly ports: readonly Opened[];
}

export interface Opened {
  /** The setting that names it. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Whether a port on `host` speaks TLS: always where asked, and by `auto` in production or beyond loopback. */
export const tlsWanted = (posture: Pick<Posture, 'production' | 'tls'>, host: string): boolean =>
  posture.tls === 'on' || (posture.tls === 'auto' && (posture.production || !isLoopbackHost(host)));

const EVERYWHERE = ['0.0.0.0', '::'];

/** Whether both would listen on the same port of the same address. */
const collide = (one: Opened, other: Opened): boolean =>
  one.port !== 0 && one.port === other.port && (one.host === other.host || [one, other].some(({ host }) => EVERYWHERE.includes(host)));

/** A sentence for each reason not to start, with what would help; empty when there is none. */
export const refusals = (posture: Posture): readonly string[] => {
  const reasons: string[] = [];
  const refuse = (when: boolean, sentence: string): void => {
    if (when) reasons.push(sentence);
  };
  refuse(
    (posture.tlsCertPath === '') !== (posture.tlsKeyPath === ''),
    'TLS_CERT_PATH and TLS_KEY_PATH belong together: set both, or neither to serve with our own certificate',
  );
  refuse(
    posture.postgresUri !== '' && !posture.masterKey,
    'POSTGRES_URI is set but no master key: set ENCRYPTION_KEY_PATH to a file with 32 random bytes (only the embedded database makes its own)',
  );
  refuse(
    posture.postgresUri === '' && !(isLoopbackHost(posture.grpcHost) && isLoopbackHost(posture.httpHost)),
    'the embedded database serves this machine only: set POSTGRES_URI, or GRPC_HOST and HTTP_HOST to a loopback address',
  );
  posture.ports.forEach((one, at) => {
    const other = posture.ports.slice(at + 1).find((later) => collide(one, later));
    if (other !== undefined) reasons.push(`${one.name} and ${other.name} are both ${one.port}: give each a port of its own`);
  });
  if (!posture.production) return reasons;
  refuse(posture.postgresUri === '', 'production does not run on the embedded database: set POSTGRES_URI');
  refuse(posture.redisUrl === '', 'production does not run on the in-process cache: set REDIS_URL');
  refuse(
    posture.tls === 'off' && !isLoopbackHost(posture.grpcHost),
    'production does not speak in the clear beyond loopback: set TLS to on, or GRPC_HOST to a loopback address',
  );
  return reasons;
};
