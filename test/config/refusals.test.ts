import { describe, expect, it } from '@jest/globals';
import { isLoopbackHost } from '../../src/base/address.ts';
import { type Posture, refusals, tlsWanted } from '../../src/server/config/refusals.ts';

const good: Posture = {
  production: true,
  postgresUri: 'postgres://db/hub',
  redisUrl: 'redis://cache',
  masterKey: true,
  grpcHost: '0.0.0.0',
  httpHost: '0.0.0.0',
  tls: 'auto',
  tlsCertPath: '',
  tlsKeyPath: '',
  ports: [],
};
const opened = (name: string, host: string, port: number) => ({ name, host, port });
const laptop: Posture = {
  ...good,
  production: false,
  postgresUri: '',
  redisUrl: '',
  masterKey: false,
  grpcHost: '127.0.0.1',
  httpHost: '::1',
};

describe('a start', () => {
  it('in production on real stores with its own certificate is accepted', () => expect(refusals(good)).toEqual([]));
  it('on a laptop with nothing set is accepted', () => expect(refusals(laptop)).toEqual([]));

  it.each<[string, Posture, string]>([
    ['production on the embedded database', { ...good, postgresUri: '' }, 'set POSTGRES_URI'],
    ['production without Redis', { ...good, redisUrl: '' }, 'set REDIS_URL'],
    ['production in the clear beyond loopback', { ...good, tls: 'off' }, 'in the clear'],
    ['a named database without a master key, even in development', { ...laptop, postgresUri: 'x' }, 'ENCRYPTION_KEY_PATH'],
    ['the embedded database opened to others', { ...laptop, grpcHost: '0.0.0.0' }, 'this machine only'],
    [
      'two ports that are one',
      { ...laptop, ports: [opened('GRPC_PORT', '127.0.0.1', 8005), opened('HTTP_PORT', '127.0.0.1', 8005)] },
      'GRPC_PORT and HTTP_PORT are both 8005: give each a port of its own',
    ],
    [
      'two ports that are one where one listens everywhere',
      { ...good, ports: [opened('HTTP_PORT', '10.0.0.1', 9000), opened('PROBE_PORT', '0.0.0.0', 9000)] },
      'HTTP_PORT and PROBE_PORT are both 9000',
    ],
    ['a certificate without its key', { ...good, tlsCertPath: '/tls.crt' }, 'belong together'],
  ])('with %s is refused, and told what would help', (_, posture, sentence) => {
    expect(refusals(posture).join('\n')).toContain(sentence);
  });

  it('with free ports, and the same port of two addresses, is accepted', () => {
    const ports = [opened('GRPC_PORT', '::1', 9000), opened('HTTP_PORT', '127.0.0.1', 9000), opened('PROBE_PORT', '127.0.0.1', 0)];
    expect(refusals({ ...laptop, ports })).toEqual([]);
    expect(refusals({ ...laptop, ports: ports.map((one) => ({ ...one, port: 0 })) })).toEqual([]);
  });

  it('names every reason at once', () => expect(refusals({ ...good, postgresUri: '', redisUrl: '', tls: 'off' })).toHaveLength(4));
});

describe('TLS', () => {
  it.each<[boolean, Posture['tls'], string, boolean]>([
    [false, 'auto', '127.0.0.1', false],
    [false, 'auto', '0.0.0.0', true],
    [true, 'auto', '127.0.0.1', true],
    [true, 'off', '127.0.0.1', false],
    [false, 'on', '127.0.0.1', true],
  ])('(production %s, TLS=%s, on %s) is spoken: %s', (production, tls, host, spoken) => {
    expect(tlsWanted({ production, tls }, host)).toBe(spoken);
  });

  it.each([
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.1', false],
    ['::', false],
    ['127.0.0.1.example.com', false],
  ])('takes %s for loopback: %s', (address, loopback) => {
    expect(isLoopbackHost(address)).toBe(loopback);
  });
});
