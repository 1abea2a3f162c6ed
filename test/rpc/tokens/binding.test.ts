import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Call, PeerCertificate } from '../../../src/base/call.ts';
import type { Caller } from '../../../src/base/caller.ts';
import { ValidateTokenRequest, ValidateTokenResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { RequestContext } from '../../../src/gen/securityhub/v1/token.ts';
import type { Claims, Tokens } from '../../../src/tokens/tokens.ts';
import { type DpopKey, dpopKey } from '../../dpop-key.ts';
import { callAs, userCaller, workloadCaller, workloadEntry } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, redisUrl, waitFor } from '../../harness.ts';
import { tcpProxy } from '../../storage/tcp-proxy.ts';
import { ANNA, ANONYMOUS, TENANT, type TokensHub, tokensHub, validating } from './hub.ts';

const ORDERS = 'https://orders.test/shop.Orders/Place';
const HUB = 'https://hub.test/securityhub.v1.Test/Test';

let database: FreshDatabase;
let hub: TokensHub;
let validate: ReturnType<typeof validating>;
let key: DpopKey;
let thief: DpopKey;

beforeAll(async () => {
  database = await freshDatabase();
  hub = await tokensHub(database);
  [key, thief] = [await dpopKey(), await dpopKey()];
  validate = validating(hub);
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const certificate = (letter: string, spiffeId = 'spiffe://test/ns/shop/sa/web'): PeerCertificate => ({
  der: Buffer.from(letter),
  sha256: letter.repeat(64),
  spkiSha256: 'f'.repeat(64),
  spiffeId,
  serialNumber: '1',
  notBefore: 0,
  notAfter: Number.MAX_SAFE_INTEGER,
});
const peer = (shown: PeerCertificate | null): Call['peer'] => ({
  transport: 'tcp',
  address: '192.0.2.1',
  loopback: false,
  certificate: shown,
});
const over = (shown: PeerCertificate | null, caller: Caller = ANONYMOUS, dpop = ''): Call => callAs(caller, { peer: peer(shown), dpop });
const orders = workloadCaller(workloadEntry({ audiences: ['security-hub'], calls: ['ValidateToken'] }));
const asOrders = () => over(certificate('e', 'spiffe://test/ns/shop/sa/orders'), orders);

const claimsOf = (tokens: Tokens): Claims => {
  const verified = hub.door.verify(tokens.accessToken, Date.now());
  if (!verified.ok) throw new Error(verified.reason);
  return verified.claims;
};
const bound = async (binding: string, call: Call, context?: RequestContext): Promise<Tokens> =>
  hub.login({ confirmation: await hub.door.bind({ binding, context }, call) });
const verdict = async (token: string, context: Partial<RequestContext>, call = asOrders()): Promise<string> => {
  const request = ValidateTokenRequest.fromPartial({ token, context: RequestContext.fromPartial(context) });
  const { valid, reasons } = ValidateTokenResponse.decode(await validate(request, call));
  return valid ? 'VALID' : (reasons[0]?.code ?? '');
};
const withProof = async (by: DpopKey, token: string, uri = ORDERS, member: Readonly<Record<string, unknown>> = {}) => ({
  dpopProof: await by.proof(uri, token, member),
  httpMethod: 'POST',
  httpUri: ORDERS,
});
const refresh = (tokens: Tokens, call: Call, asked = {}) => hub.door.refresh(tokens.refreshToken, null, call, asked);
const revokedReason = async (tokens: Tokens) =>
  (await database.sql<{ reason: string }>('SELECT revoked_reason AS reason FROM token_families WHERE family_id = $1', [tokens.familyId]))[0]
    ?.reason;

describe('tokens bound to a certificate', () => {
  it.each([
    ['certificate', { x5tS256: Buffer.from('a'.repeat(64), 'hex').toString('base64url') }],
    ['public_key', { spkiSha256: Buffer.from('f'.repeat(64), 'hex').toString('base64url') }],
    ['spiffe', { spiffeId: 'spiffe://test/ns/shop/sa/web' }],
  ])('carry the %s they were asked to be bound to', async (binding, confirmation) => {
    const tokens = await bound(binding, over(certificate('a')));
    expect(claimsOf(tokens).confirmation).toMatchObject(confirmation);
    expect(tokens.tokenType).toBe('Bearer');
  });

  it('are bound to nothing unless they ask: who logs a user in may do so for somebody behind it', async () => {
    expect(claimsOf(await bound('', over(certificate('a')))).confirmation).toBeNull();
  });

  it.each(['certificate', 'public_key', 'spiffe', 'dpop'])('are not given out where no %s is shown', async (binding) => {
    await expect(bound(binding, over(null))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BINDING_MISSING' });
  });

  it('count with the certificate that the caller’s own peer showed, and with no other', async () => {
    const { accessToken } = await bound('certificate', over(certificate('a')));
    expect(await verdict(accessToken, { peerCertificateSha256: 'a'.repeat(64) })).toBe('VALID');
    expect(await verdict(accessToken, { peerCertificateSha256: 'b'.repeat(64) })).toBe('BINDING_MISMATCH');
    expect(await verdict(accessToken, {})).toBe('BINDING_MISSING');
    expect(await verdict(accessToken, { peerSpkiSha256: 'f'.repeat(64), peerSpiffeId: 'spiffe://test/ns/shop/sa/web' })).toBe(
      'BINDING_MISSING',
    );
  });

  it('survive a renewal where they are bound to the key or to the SPIFFE id', async () => {
    const [byKey, byId] = [await bound('public_key', over(certificate('a'))), await bound('spiffe', over(certificate('a')))];
    const renewed = { peerCertificateSha256: 'b'.repeat(64), peerSpkiSha256: 'f'.repeat(64), peerSpiffeId: 'spiffe://test/ns/shop/sa/web' };
    expect(await verdict(byKey.accessToken, renewed)).toBe('VALID');
    expect(await verdict(byId.accessToken, renewed)).toBe('VALID');
    expect(await verdict(byKey.accessToken, { ...renewed, peerSpkiSha256: 'e'.repeat(64) })).toBe('BINDING_MISMATCH');
    expect(await verdict(byId.accessToken, { ...renewed, peerSpiffeId: 'spiffe://test/ns/shop/sa/cart' })).toBe('BINDING_MISMATCH');
  });

  it('are measured by the real connection where a user shows one, whatever it says of its peer', async () => {
    const { accessToken } = await bound('certificate', over(certificate('a')));
    const lies = { peerCertificateSha256: 'a'.repeat(64) };
    const anna = userCaller(TENANT, ANNA);
    expect(await verdict(accessToken, lies, over(certificate('a'), anna))).toBe('VALID');
    expect(await verdict(accessToken, lies, over(certificate('b'), anna))).toBe('BINDING_MISMATCH');
    expect(await verdict(accessToken, lies, over(null, anna))).toBe('BINDING_MISSING');
    // A workload that is not on mTLS is believed nothing of its peer.
    expect(await verdict(accessToken, lies, over(null, orders))).toBe('BINDING_MISSING');
  });

  it('may be asked for by a workload on mTLS on behalf of its own peer', async () => {
    const context = RequestContext.fromPartial({ peerCertificateSha256: 'c'.repeat(64) });
    const { accessToken } = await bound('certificate', asOrders(), context);
    expect(await verdict(accessToken, { peerCertificateSha256: 'c'.repeat(64) })).toBe('VALID');
    const ignored = claimsOf(await bound('certificate', over(certificate('a')), context)).confirmation;
    expect(ignored?.x5tS256).toBe(Buffer.from('a'.repeat(64), 'hex').toString('base64url'));
  });
});

describe('tokens bound to a DPoP key', () => {
  const login = async (by = key): Promise<Tokens> => bound('', over(null, ANONYMOUS, await by.proof(HUB)));

  it('are given to whoever shows a proof, and say so', async () => {
    const tokens = await login();
    expect(tokens.tokenType).toBe('DPoP');
    expect(claimsOf(tokens).confirmation).toMatchObject({ jkt: key.jkt });
  });

  it('count once with each proof for this very request', async () => {
    const { accessToken } = await login();
    const shown = await withProof(key, accessToken);
    expect(await verdict(accessToken, shown)).toBe('VALID');
    expect(await verdict(accessToken, shown)).toBe('DPOP_PROOF_REPLAYED');
    expect(await verdict(accessToken, await withProof(key, accessToken))).toBe('VALID');
  });

  it.each<[string, string, () => Promise<Partial<RequestContext>>]>([
    ['without a proof', 'BINDING_MISSING', async () => ({})],
    ['with a thief’s own proof', 'BINDING_MISMATCH', async () => withProof(thief, await now())],
    [
      'with a proof for another address',
      'DPOP_URI_MISMATCH',
      async () => withProof(key, await now(), 'https://billing.test/shop.Orders/Place'),
    ],
    ['with a proof for another method', 'DPOP_METHOD_MISMATCH', async () => withProof(key, await now(), ORDERS, { htm: 'GET' })],
    ['with a proof for another token', 'DPOP_TOKEN_MISMATCH', async () => withProof(key, 'another')],
    ['with an old proof', 'DPOP_PROOF_EXPIRED', async () => withProof(key, await now(), ORDERS, { iat: 1_600_000_000 })],
  ])('do not count %s: %s', async (_, reason, context) => {
    current = await login();
    expect(await verdict(current.accessToken, await context())).toBe(reason);
  });
  let current: Tokens;
  const now = async (): Promise<string> => current.accessToken;

  it('need the address that the proof was made for: its lack is the caller’s mistake', async () => {
    const { accessToken } = await login();
    const { dpopProof } = await withProof(key, accessToken);
    await expect((async () => verdict(accessToken, { dpopProof }))()).rejects.toMatchObject({
      violations: [{ field: 'context.http_uri' }],
    });
  });

  it('are not proven by what a user says of somebody’s proof', async () => {
    const { accessToken } = await login();
    expect(await verdict(accessToken, await withProof(key, accessToken), over(null, userCaller(TENANT, ANNA)))).toBe('BINDING_MISSING');
  });

  it('were proven by the very call that asks about its own token', async () => {
    const tokens = await login();
    const own = userCaller(TENANT, ANNA, { tokenId: tokens.tokenId, jkt: key.jkt });
    expect(await verdict(tokens.accessToken, {}, over(null, own))).toBe('VALID');
  });

  it('are refreshed with their key alone, and a stolen refresh token without it changes nothing', async () => {
    const tokens = await login();
    await expect(refresh(tokens, over(null))).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'BINDING_MISSING' });
    await expect(refresh(tokens, over(null, ANONYMOUS, await thief.proof(HUB)))).rejects.toMatchObject({ reason: 'BINDING_MISMATCH' });
    expect(await revokedReason(tokens)).toBe('');
    const next = await refresh(tokens, over(null, ANONYMOUS, await key.proof(HUB)));
    expect(claimsOf(next).confirmation).toMatchObject({ jkt: key.jkt });
  });

  it('are given again for minutes to whoever proves the key, until the successor is used', async () => {
    const tokens = await login();
    const next = await refresh(tokens, over(null, ANONYMOUS, await key.proof(HUB)));
    await database.sql("UPDATE token_families SET rotated_at = rotated_at - interval '4 minutes' WHERE family_id = $1", [tokens.familyId]);
    const again = await refresh(tokens, over(null, ANONYMOUS, await key.proof(HUB)));
    expect(again.refreshToken).toBe(next.refreshToken);
    await refresh(next, over(null, ANONYMOUS, await key.proof(HUB)));
    await expect(refresh(tokens, over(null, ANONYMOUS, await key.proof(HUB)))).rejects.toMatchObject({ reason: 'REFRESH_TOKEN_REUSED' });
  });

  it('may be asked for at a refresh; what was stolen before then still ends the family', async () => {
    const tokens = await hub.login();
    const next = await refresh(tokens, over(null, ANONYMOUS, await thief.proof(HUB)));
    expect(claimsOf(next).confirmation).toMatchObject({ jkt: thief.jkt });
    await expect(refresh(next, over(null))).rejects.toMatchObject({ reason: 'BINDING_MISSING' });
    await expect(refresh(tokens, over(null))).rejects.toMatchObject({ reason: 'REFRESH_TOKEN_REUSED' });
    expect(await revokedReason(tokens)).toBe('reused');
  });

  it('are not handed out for a proof that was made for another name, method or long ago', async () => {
    for (const [uri, member, reason] of [
      ['https://evil.test/securityhub.v1.Test/Test', {}, 'DPOP_URI_MISMATCH'],
      [HUB, { htm: 'GET' }, 'DPOP_METHOD_MISMATCH'],
      [HUB, { iat: 1_600_000_000 }, 'DPOP_PROOF_EXPIRED'],
    ] as const)
      await expect(bound('', over(null, ANONYMOUS, await key.proof(uri, undefined, member)))).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
        reason,
      });
  });

  it('are not handed out under a name that is none of ours, however well the proof fits', async () => {
    const target = 'https://evil.test/securityhub.v1.Test/Test';
    const call = callAs(ANONYMOUS, { target, dpop: await key.proof(target) });
    await expect(bound('', call)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'DPOP_URI_MISMATCH' });
  });
});

describe('the policy of rotation', () => {
  it('keeps the refresh token of whoever proves a key, and gives each access token an id of its own', async () => {
    const keeping = await tokensHub(database, { config: { rotation: 'unbound' } });
    const confirmation = await keeping.door.bind({ binding: 'spiffe', context: undefined }, over(certificate('a')));
    const first = await keeping.login({ confirmation });
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => keeping.door.refresh(first.refreshToken, null, over(certificate('b')))),
    );
    expect(new Set(answers.map((one) => one.refreshToken))).toEqual(new Set([first.refreshToken]));
    expect(new Set([first, ...answers].map((one) => one.tokenId)).size).toBe(6);
    await expect(keeping.door.refresh(first.refreshToken, null, over(null))).rejects.toMatchObject({ reason: 'BINDING_MISSING' });
    await keeping.door.revoke(
      { tenantId: '', token: '', tokenId: answers[4]?.tokenId ?? '', scope: 'token', reason: '', revokedBy: '', wait: 0 },
      callAs(userCaller(TENANT, ANNA)),
    );
    // So one of them can be ended alone.
    const ended = [first, ...answers].map((one) => {
      const verified = keeping.door.verify(one.accessToken, Date.now());
      return verified.claims === null ? 'refused' : keeping.door.revoked(verified.claims)?.reason;
    });
    expect(ended).toEqual([undefined, undefined, undefined, undefined, undefined, 'TOKEN_REVOKED']);
    const unbound = await keeping.login();
    expect((await keeping.door.refresh(unbound.refreshToken, null, over(null))).refreshToken).not.toBe(unbound.refreshToken);
    await keeping.stop();
  });

  it('rotates bound ones too, unless told otherwise', async () => {
    const tokens = await bound('spiffe', over(certificate('a')));
    expect((await refresh(tokens, over(certificate('a')))).refreshToken).not.toBe(tokens.refreshToken);
  });
});

describe('the memory of used proofs', () => {
  it('is shared by replicas through Redis, and a flush forgets no proof', async () => {
    const shared = [await tokensHub(database, { redis: true }), await tokensHub(database, { redis: true })] as const;
    const request = { method: 'POST', uri: ORDERS, token: null };
    const ask = async (by: TokensHub, proof: string): Promise<string> => {
      const checked = await by.door.checkProof(proof, request, 'verdict', Date.now(), callAs(ANONYMOUS));
      return checked.ok ? 'GOOD' : checked.reason;
    };
    const redis = new Redis(redisUrl());
    const mine = `${new URL(database.uri).pathname.slice(1)}:`;
    const marks = () => redis.keys(`${mine}{-}born:*`);
    await waitFor(async () => (await marks()).length > 0, 2000, 'the mark of the memory’s birth');
    const proof = await key.proof(ORDERS);
    // Somebody with a fast clock may have used it before the memory began.
    expect(await ask(shared[0], proof)).toBe('DPOP_PROOF_EXPIRED');
    for (const mark of await marks()) await redis.set(mark, String(Date.now() - 600_000));
    const commands: string[] = [];
    const monitor = await redis.monitor();
    monitor.on('monitor', (_: string, args: readonly string[], source: string) => {
      if (source !== 'lua' && args.some((arg) => arg.includes(`${mine}{-}dpop:`))) commands.push(args[0] ?? '');
    });
    expect([await ask(shared[0], proof), await ask(shared[1], proof)]).toEqual(['GOOD', 'DPOP_PROOF_REPLAYED']);
    await waitFor(() => commands.length >= 2, 2000, 'the commands of two proofs');
    // One command a proof.
    expect(commands.map((name) => name.toLowerCase())).toEqual(['eval', 'eval']);
    monitor.disconnect();
    await redis.del(...(await redis.keys(`${mine}*`)));
    expect([await ask(shared[0], proof), await ask(shared[1], proof)]).toEqual(['DPOP_PROOF_EXPIRED', 'DPOP_PROOF_EXPIRED']);
    redis.disconnect();
    for (const one of shared) await one.stop();
  });

  it('is away with Redis: then there is no verdict, and what was used before stays used', async () => {
    const { hostname, port } = new URL(redisUrl());
    const wire = await tcpProxy(hostname, Number(port));
    const alone = await tokensHub(database, { redis: true, redisAddress: `redis://127.0.0.1:${wire.port}` });
    const ask = async (proof: string): Promise<string> => {
      const request = { method: 'POST', uri: ORDERS, token: null };
      return alone.door.checkProof(proof, request, 'verdict', Date.now(), callAs(ANONYMOUS)).then(
        (checked) => (checked.ok ? 'GOOD' : checked.reason),
        ({ code, reason }: { code: string; reason: string }) => `${code} ${reason}`,
      );
    };
    const redis = new Redis(redisUrl());
    const mark = `${new URL(database.uri).pathname.slice(1)}:{-}born:*`;
    await waitFor(async () => (await redis.keys(mark)).length > 0, 2000, 'the mark of the memory’s birth');
    for (const name of await redis.keys(mark)) await redis.set(name, String(Date.now() - 600_000));
    const used = await key.proof(ORDERS);
    await waitFor(async () => (await ask(used)) === 'DPOP_PROOF_REPLAYED', 2000, 'a memory that answers');
    for (const break_ of [() => wire.cut(), () => wire.freeze()]) {
      break_();
      expect(await ask(await key.proof(ORDERS))).toBe('UNAVAILABLE DPOP_UNAVAILABLE');
      wire.mend();
      wire.thaw();
      await waitFor(async () => (await ask(await key.proof(ORDERS))) === 'GOOD', 5000, 'the memory’s return');
      // Whoever does not know says so; whoever knows says this.
      let said = '';
      await waitFor(async () => (said = await ask(used)) !== 'UNAVAILABLE DPOP_UNAVAILABLE', 5000, 'an answer');
      expect(said).toBe('DPOP_PROOF_REPLAYED');
    }
    redis.disconnect();
    await alone.stop();
    await wire.close();
  });
});
