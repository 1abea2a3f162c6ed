import { mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Fault } from '../../src/base/fault.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import { SERVICES } from '../../src/gen/services.ts';
import { ValidateTokenResponse } from '../../src/gen/securityhub/v1/security_hub.ts';
import { waitFor } from '../harness.ts';
import { freePort } from '../stores.ts';
import { createAuthority } from '../wire/grpc-authority.ts';
import { type Answer, type StandIn, startStandIn } from './stand-in.ts';

let hub: StandIn | undefined;
let client: Client | undefined;
afterEach(async () => {
  await client?.close();
  hub?.stop();
  hub = undefined;
  client = undefined;
});

const start = async (answers: Readonly<Record<string, Answer>>, options: Partial<ClientOptions> = {}): Promise<Client> => {
  hub = await startStandIn(answers);
  client = createClient({ address: hub.address, ...options });
  return client;
};

const failure = (promise: Promise<unknown>): Promise<Fault> =>
  promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error as Fault,
  );

const VALID = ValidateTokenResponse.fromPartial({ valid: true });
const valid: Answer = () => VALID;

describe('a call of the client', () => {
  it('fills in what the caller left out and answers the typed message', async () => {
    const seen: unknown[] = [];
    const own = await start({ 'securityHub.validateToken': (call) => (seen.push(call.request), VALID) });
    expect((await own.validateToken({ token: 't', context: { ipAddress: '10.0.0.1' } })).valid).toBe(true);
    expect(seen).toMatchObject([{ token: 't', requiredPermissions: [], context: { ipAddress: '10.0.0.1', userAgent: '' } }]);
  });

  it('is there for every method of every service', async () => {
    const own = (await start({})) as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    const missing = Object.entries(SERVICES).flatMap(([service, { definition }]) =>
      Object.entries(definition as Readonly<Record<string, { readonly requestStream: boolean }>>).flatMap(([name, { requestStream }]) => {
        const call = service === 'securityHub' ? own[name] : own[service]?.[name];
        return requestStream || typeof call === 'function' ? [] : [`${service}.${name}`];
      }),
    );
    expect(missing).toEqual([]);
  });

  it('reaches every service under its name', async () => {
    const own = await start({ 'user.getUser': () => ({ user: undefined }), 'token.getJwks': () => ({ jwksJson: '{}', keys: [] }) });
    expect((await own.token.getJwks()).jwksJson).toBe('{}');
    expect(await own.user.getUser({ userId: 'u' })).toMatchObject({});
  });

  it('rejects with code, reason, metadata, fields and delay', async () => {
    const said = new Fault('RESOURCE_EXHAUSTED', 'RATE_LIMITED', 'slowly', {
      meta: { limit: '10' },
      retryAfter: 1500,
      violations: [{ field: 'token', description: 'too many' }],
    });
    const own = await start({
      'securityHub.encrypt': () => {
        throw said;
      },
    });
    const fault = await failure(own.encrypt({ plaintext: Buffer.from('x') }));
    expect(fault).toBeInstanceOf(Fault);
    expect(fault).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'RATE_LIMITED',
      message: 'slowly',
      meta: { limit: '10' },
      retryAfter: 1500,
      violations: [{ field: 'token', description: 'too many' }],
    });
  });

  const unavailableTwice = (): { readonly answer: Answer; readonly count: () => number } => {
    let count = 0;
    const answer: Answer = () => {
      count += 1;
      if (count < 3) throw new Fault('UNAVAILABLE', 'STORE_UNAVAILABLE', 'away');
      return VALID;
    };
    return { answer, count: () => count };
  };

  it('is repeated while the hub is unavailable, where repeating is safe', async () => {
    const { answer, count } = unavailableTwice();
    const own = await start({ 'securityHub.validateToken': answer });
    expect((await own.validateToken({ token: 't' })).valid).toBe(true);
    expect(count()).toBe(3);
  });

  it('is not repeated where repeating could do it twice', async () => {
    const { answer, count } = unavailableTwice();
    const own = await start({ 'securityHub.issueServiceCert': answer });
    expect((await failure(own.issueServiceCert({}))).reason).toBe('STORE_UNAVAILABLE');
    expect(count()).toBe(1);
  });

  it('is not repeated when the hub has answered, whatever it said', async () => {
    let count = 0;
    const own = await start({
      'securityHub.validateToken': () => {
        count += 1;
        throw new Fault('PERMISSION_DENIED', 'AUDIENCE_FORBIDDEN', 'no');
      },
    });
    expect((await failure(own.validateToken({ token: 't' }))).code).toBe('PERMISSION_DENIED');
    expect(count).toBe(1);
  });

  it('is not repeated by a client with one attempt', async () => {
    const { answer, count } = unavailableTwice();
    const own = await start({ 'securityHub.validateToken': answer }, { attempts: 1 });
    expect((await failure(own.validateToken({ token: 't' }))).code).toBe('UNAVAILABLE');
    expect(count()).toBe(1);
  });

  it('ends at its deadline', async () => {
    const own = await start({ 'securityHub.validateToken': () => new Promise(() => {}) }, { deadline: 100 });
    expect(await failure(own.validateToken({ token: 't' }))).toMatchObject({ code: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED' });
  });

  it('ends when its caller gives up', async () => {
    const own = await start({ 'securityHub.validateToken': () => new Promise(() => {}) });
    const gone = new AbortController();
    const call = failure(own.validateToken({ token: 't' }, { signal: gone.signal }));
    gone.abort();
    expect((await call).code).toBe('CANCELLED');
    expect((await failure(own.validateToken({ token: 't' }, { signal: gone.signal }))).code).toBe('CANCELLED');
  });

  it('says which address nobody answers at', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    client = createClient({ address, attempts: 1 });
    const fault = await failure(client.validateToken({ token: 't' }));
    expect(fault).toMatchObject({ code: 'UNAVAILABLE', reason: 'HUB_UNREACHABLE' });
    expect(fault.message).toContain(address);
  });

  it('is refused once the client is closed', async () => {
    const own = await start({ 'securityHub.validateToken': valid });
    await own.close();
    expect((await failure(own.validateToken({ token: 't' }))).reason).toBe('CLIENT_CLOSED');
  });

  it('that is under way when the client is closed is finished', async () => {
    const held: (() => void)[] = [];
    const own = await start({ 'securityHub.validateToken': () => new Promise((resolve) => held.push(() => resolve(VALID))) });
    const call = own.validateToken({ token: 't' });
    await waitFor(() => held.length === 1, 5000);
    const closed = own.close();
    held[0]?.();
    expect((await call).valid).toBe(true);
    await closed;
  });
});

describe('the credential of a client', () => {
  const authorization =
    (seen: string[]): Answer =>
    (call) => {
      seen.push(String(call.metadata.get('authorization')[0] ?? ''));
      return VALID;
    };

  it('goes with every call; one given to a call goes instead', async () => {
    const seen: string[] = [];
    const own = await start({ 'securityHub.validateToken': authorization(seen) }, { credential: 'shk_own' });
    await own.validateToken({});
    await own.validateToken({}, { credential: 'other' });
    await own.validateToken({}, { credential: '' });
    expect(seen).toEqual(['Bearer shk_own', 'Bearer other', '']);
  });

  const picky =
    (good: string): Answer =>
    (call) => {
      if (call.metadata.get('authorization')[0] !== `Bearer ${good}`) throw new Fault('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'too old');
      return VALID;
    };

  it('is asked for anew when the hub refuses it, and the call is made again', async () => {
    const asked: unknown[] = [];
    const provider = (refused?: string) => {
      asked.push(refused);
      return Promise.resolve(refused === undefined ? 'old' : 'new');
    };
    const own = await start({ 'securityHub.issueServiceCert': picky('new') }, { credential: provider });
    await own.issueServiceCert({});
    expect(asked).toEqual([undefined, 'old']);
  });

  it('is tried once where the provider has no other', async () => {
    let calls = 0;
    const own = await start(
      {
        'securityHub.validateToken': (call) => {
          calls += 1;
          return picky('new')(call);
        },
      },
      { credential: () => 'old' },
    );
    expect((await failure(own.validateToken({}))).reason).toBe('TOKEN_EXPIRED');
    expect(calls).toBe(1);
  });

  it('that cannot be had is no verdict', async () => {
    const own = await start(
      { 'securityHub.validateToken': valid },
      {
        credential: () => {
          throw new Error('vault is down');
        },
      },
    );
    expect(await failure(own.validateToken({}))).toMatchObject({ code: 'UNAVAILABLE', reason: 'CREDENTIAL_PROVIDER_FAILED' });
  });
});

describe('a client on mTLS', () => {
  const ours = createAuthority('ours');

  const files = () => {
    const folder = mkdtempSync(join(tmpdir(), 'security-hub-client-'));
    const paths = { ca: join(folder, 'ca.pem'), cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    const put = (path: string, text: string): void => {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    };
    put(paths.ca, ours.pem);
    return { paths, put };
  };

  const serial =
    (seen: string[], hold?: Promise<void>): Answer =>
    async (call) => {
      seen.push(call.getAuthContext()?.sslPeerCertificate?.serialNumber ?? '');
      await hold;
      return VALID;
    };

  it('shows its certificate to a hub that proves the address', async () => {
    const { paths, put } = files();
    const issued = ours.issue({ serial: '11' });
    put(paths.cert, issued.certificate);
    put(paths.key, issued.key);
    const seen: string[] = [];
    hub = await startStandIn({ 'securityHub.validateToken': serial(seen) }, { ca: ours.pem, issued: ours.issue({ serial: '10' }) });
    client = createClient({ address: hub.address, tls: paths });
    await client.validateToken({});
    expect(seen).toEqual(['11']);
  });

  it('trusts no hub of another authority', async () => {
    const { paths, put } = files();
    put(paths.ca, createAuthority('theirs').pem);
    hub = await startStandIn({ 'securityHub.validateToken': valid }, { ca: ours.pem, issued: ours.issue({ serial: '10' }) });
    client = createClient({ address: hub.address, tls: { ca: paths.ca }, attempts: 1 });
    expect((await failure(client.validateToken({}))).code).toBe('UNAVAILABLE');
  });

  it('takes up a renewed certificate without losing a call, and never half of one', async () => {
    const { paths, put } = files();
    const first = ours.issue({ serial: '11' });
    const other = createAuthority('ours-renewed');
    put(paths.cert, first.certificate);
    put(paths.key, first.key);
    const seen: string[] = [];
    let release = (): void => {};
    const hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    hub = await startStandIn({ 'securityHub.validateToken': serial(seen, hold) }, { ca: ours.pem, issued: ours.issue({ serial: '10' }) });
    const problems: string[] = [];
    client = createClient({ address: hub.address, tls: { ...paths, reloadEvery: 20 }, onProblem: (message) => problems.push(message) });
    const early = client.validateToken({});
    await waitFor(() => seen.length === 1, 5000);

    // A certificate whose key has not come yet cannot be used.
    put(paths.cert, other.issue({ serial: '99' }).certificate);
    await waitFor(() => problems.length === 1, 5000);
    const still = client.validateToken({});
    await waitFor(() => seen.length === 2, 5000);
    put(paths.cert, ours.issue({ serial: '12' }).certificate);

    const own = client;
    const late: Promise<unknown>[] = [];
    await waitFor(() => {
      late.push(own.validateToken({}));
      return seen.includes('12');
    }, 5000);
    release();
    expect((await early).valid).toBe(true);
    expect((await still).valid).toBe(true);
    await Promise.all(late);
    expect(seen.slice(0, 2)).toEqual(['11', '11']);
  });

  it('refuses files that cannot be used, by name', () => {
    expect(() => createClient({ address: 'hub:50052', tls: { ca: '/nowhere/ca.pem' } })).toThrow(/tls\.ca: \/nowhere\/ca\.pem/);
    expect(() => createClient({ address: 'hub:50052', tls: { cert: '/nowhere/tls.crt' } })).toThrow(/belong together/);
  });
});
