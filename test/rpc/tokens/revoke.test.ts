import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Call } from '../../../src/base/call.ts';
import type { Caller } from '../../../src/base/caller.ts';
import type { Claims, Revocation, Tokens } from '../../../src/tokens/tokens.ts';
import { days } from '../../../src/base/time.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { ANNA, ANONYMOUS, OTHER_TENANT, people, TENANT, type TokensHub, tokensHub } from './hub.ts';

let database: FreshDatabase;
let clock: TestClock;
let hub: TokensHub;

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  hub = await tokensHub(database, { clock });
  hub.who.powerful.add('usr_root');
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const by = (caller: Caller): Call => callAs(caller, { now: clock.now() });
const anna = userCaller(TENANT, ANNA);
const root = userCaller(TENANT, 'usr_root');
const mallory = userCaller(TENANT, 'usr_mallory');
const claimsOf = (tokens: Tokens, of: TokensHub = hub): Claims => {
  const verified = of.door.verify(tokens.accessToken, clock.now());
  if (!verified.ok) throw new Error(verified.reason);
  return verified.claims;
};
const refusal = (tokens: Tokens, of: TokensHub = hub): string | undefined => of.door.revoked(claimsOf(tokens, of))?.reason;
const revocation = (over: Partial<Revocation>): Revocation => ({
  tenantId: '',
  token: '',
  tokenId: '',
  scope: null,
  reason: 'test',
  revokedBy: '',
  wait: 0,
  ...over,
});
const refresh = (tokens: Tokens) => hub.door.refresh(tokens.refreshToken, null, by(ANONYMOUS));

describe('revoking', () => {
  it('ends the token, its family and its session by default, and says by when', async () => {
    const tokens = await hub.login();
    const revoked = await hub.door.revoke(revocation({ token: tokens.accessToken }), by(anna));
    expect(revoked.seq).toBeGreaterThan(0);
    expect(revoked.effectiveBy - clock.now()).toBeLessThanOrEqual(2000);
    expect(revoked).toMatchObject({ replicasAcknowledged: 1, replicasLive: 1 });
    expect(refusal(tokens)).toBe('TOKEN_REVOKED');
    await expect(refresh(tokens)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
  });

  it('ends one access token alone when asked for that, by its id', async () => {
    const tokens = await hub.login();
    await hub.door.revoke(revocation({ tokenId: tokens.tokenId, scope: 'token' }), by(anna));
    expect(refusal(tokens)).toBe('TOKEN_REVOKED');
    expect(refusal(await refresh(tokens))).toBeUndefined();
  });

  it('ends the family of a refresh token that is to end alone', async () => {
    const tokens = await hub.login();
    await hub.door.revoke(revocation({ token: tokens.refreshToken, scope: 'token' }), by(anna));
    expect(refusal(tokens)).toBe('TOKEN_REVOKED');
    await expect(refresh(tokens)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
  });

  it('ends a session by a refresh token, and by its own id', async () => {
    const [one, two] = [await hub.login(), await hub.login()];
    await hub.door.revoke(revocation({ token: one.refreshToken, scope: 'session' }), by(mallory));
    expect(refusal(one)).toBe('SESSION_ENDED');
    await hub.door.revokeSession(TENANT, two.sessionId, 'lost', 0, by(anna));
    expect(refusal(two)).toBe('SESSION_ENDED');
    await expect(refresh(two)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
  });

  describe('all of a client', () => {
    const SHOP = 'default/shop';
    const revokeClient = (clientId: string, tenantId = TENANT) => hub.door.revokeClient(tenantId, clientId, 'broken into', 0, by(root));

    it('ends its sessions, of whatever users, and nobody else’s', async () => {
      const [shop, ours] = [await hub.login({ clientId: SHOP }), await hub.login()];
      await revokeClient(SHOP);
      expect([refusal(shop), refusal(ours)]).toEqual(['TOKEN_REVOKED', undefined]);
      await expect(refresh(shop)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
      const later = await hub.login({ clientId: SHOP });
      expect([refusal(later), refusal(await refresh(later))]).toEqual([undefined, undefined]);
      await revokeClient('first-party');
      expect([refusal(ours), refusal(later)]).toEqual(['TOKEN_REVOKED', undefined]);
    });

    it('ends one in flight too, or it begins afterwards', async () => {
      const tokens = await Promise.all([
        ...Array.from({ length: 5 }, () => hub.login({ clientId: SHOP })),
        revokeClient(SHOP).then(() => null),
      ]);
      await hub.platform.feed.catchUp((await revokeClient(SHOP)).seq);
      for (const one of tokens) if (one !== null) await expect(refresh(one)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
      expect(await database.sql(`SELECT FROM token_families WHERE client_id = $1 AND revoked_at IS NULL`, [SHOP])).toEqual([]);
    });

    it('is known where it is registered, or has got something in this tenant', async () => {
      await hub.login({ clientId: 'default/gone' });
      await expect(revokeClient('default/gone', OTHER_TENANT)).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'CLIENT_NOT_FOUND' });
      await expect(revokeClient('default/gone')).resolves.toMatchObject({ replicasLive: 1 });
      await expect(revokeClient('default/gone')).rejects.toMatchObject({ reason: 'CLIENT_NOT_FOUND' });
      await expect(revokeClient(SHOP)).resolves.toMatchObject({ replicasLive: 1 });
    });
  });

  it('ends every session of a user, and none that begins afterwards', async () => {
    const before = [await hub.login(), await hub.login()];
    await hub.door.revokeUser(TENANT, ANNA, 'stolen', 0, by(root));
    const after = await hub.login();
    expect(before.map((tokens) => refusal(tokens))).toEqual(['TOKEN_REVOKED', 'TOKEN_REVOKED']);
    for (const tokens of before) await expect(refresh(tokens)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
    expect(refusal(after)).toBeUndefined();
    await expect(refresh(after)).resolves.toBeDefined();
  });

  it('tells tokens of one and the same second apart', async () => {
    const before = await hub.login();
    await hub.door.revokeUser(TENANT, ANNA, 'stolen', 0, by(anna));
    const after = await hub.login();
    expect(claimsOf(before).issuedAt).toBe(claimsOf(after).issuedAt);
    expect([refusal(before), refusal(after)]).toEqual(['TOKEN_REVOKED', undefined]);
  });

  describe('while a login is under way', () => {
    /** Opened, and not committed before `release`. */
    const underWay = async () => {
      let release = (): void => {};
      let begun = (): void => {};
      const gate = new Promise<void>((resolve) => (release = resolve));
      const opened = new Promise<void>((resolve) => (begun = resolve));
      const done = hub.platform.write(TENANT, async (tx) => {
        const result = await hub.openIn(tx);
        begun();
        await gate;
        return { result };
      });
      await opened;
      return { release, done: done.then(({ result }) => result) };
    };

    it('waits for it and ends it: at once in the database, whatever a replica has heard', async () => {
      const { release, done } = await underWay();
      const revoked = hub.door.revokeUser(TENANT, ANNA, 'stolen', 0, by(anna));
      release();
      const [late] = await Promise.all([done, revoked]);
      expect(refusal(late)).toBe('TOKEN_REVOKED');
      expect(await database.sql('SELECT revoked_reason FROM token_families WHERE family_id = $1', [late.familyId])).toEqual([
        { revoked_reason: 'revoked' },
      ]);
    });

    it('that comes to its session later has logged in afterwards, and says so', async () => {
      // Begun before, held up before it opens its session.
      const late = await hub.platform.write(TENANT, async (tx) => {
        await hub.platform.readHead(tx);
        const { seq } = await hub.door.revokeUser(TENANT, ANNA, 'stolen', 0, by(anna));
        const tokens = await hub.openIn(tx);
        return { result: { tokens, seq } };
      });
      const { tokens, seq } = late.result;
      expect(claimsOf(tokens).rsq).toBeGreaterThanOrEqual(seq);
      expect(refusal(tokens)).toBeUndefined();
      await expect(refresh(tokens)).resolves.toBeDefined();
    });
  });

  it('knows nobody of another tenant, and keeps nothing about names that were made up', async () => {
    const before = await database.sql('SELECT seq FROM change_head');
    for (const userId of ['usr_olaf', 'usr_none', 'x'.repeat(100)])
      await expect(hub.door.revokeUser(TENANT, userId, '', 0, by(root))).rejects.toMatchObject({
        code: 'NOT_FOUND',
        reason: 'USER_NOT_FOUND',
      });
    expect(await database.sql('SELECT seq FROM change_head')).toEqual(before);
  });

  it('lets nobody end what is not theirs, and says nothing of what exists', async () => {
    const tokens = await hub.login();
    for (const tokenId of [tokens.tokenId, 'fam_0000000000000000000000.1'])
      await expect(hub.door.revoke(revocation({ tokenId }), by(mallory))).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        reason: 'PERMISSION_MISSING',
      });
    for (const sessionId of [tokens.sessionId, 'ses_none'])
      await expect(hub.door.revokeSession(TENANT, sessionId, '', 0, by(mallory))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect(hub.door.revokeUser(TENANT, ANNA, '', 0, by(mallory))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    const foreign = by(userCaller(OTHER_TENANT, 'usr_olaf'));
    await expect(hub.door.revoke(revocation({ token: tokens.accessToken }), foreign)).rejects.toMatchObject({ reason: 'TENANT_FORBIDDEN' });
    expect(refusal(tokens)).toBeUndefined();
  });

  it('is not forgotten because a clock was ahead for a while', async () => {
    const tokens = await hub.login();
    await hub.door.revoke(revocation({ token: tokens.accessToken }), by(anna));
    const now = clock.now();
    clock.set(now + days(2));
    await hub.turn('tokens.mirror');
    // And one that starts meanwhile, on the same clock.
    const fresh = await tokensHub(database, { clock });
    clock.set(now);
    expect([refusal(tokens), refusal(tokens, fresh)]).toEqual(['TOKEN_REVOKED', 'TOKEN_REVOKED']);
    await fresh.stop();
  });

  it('names the field of a request that makes no sense', async () => {
    const tokens = await hub.login();
    const cases = [{}, { token: tokens.accessToken, tokenId: tokens.tokenId }, { token: 'abc' }, { token: `${tokens.refreshToken}x` }];
    for (const over of cases)
      await expect(hub.door.revoke(revocation(over), by(anna))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        violations: [{ field: 'token' }],
      });
    await expect(hub.door.revoke(revocation({ tokenId: 'fam_0000000000000000000000.1' }), by(root))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('logs out by any token of the family, as often as asked', async () => {
    const first = await hub.login();
    const second = await refresh(first);
    await hub.door.logout(first.refreshToken, by(ANONYMOUS));
    await hub.door.logout(second.refreshToken, by(ANONYMOUS));
    expect(refusal(second)).toBe('SESSION_ENDED');
    await expect(hub.door.logout('shr_forged', by(ANONYMOUS))).rejects.toMatchObject({ reason: 'REFRESH_TOKEN_INVALID' });
  });

  it('leaves no live token, whichever of a refresh and a revocation comes first', async () => {
    for (let round = 0; round < 10; round++) {
      const tokens = await hub.login();
      const [refreshed] = await Promise.allSettled([
        refresh(tokens),
        hub.door.revoke(revocation({ token: tokens.refreshToken }), by(anna)),
      ]);
      if (refreshed.status === 'fulfilled') {
        expect(refusal(refreshed.value)).toBe('TOKEN_REVOKED');
        await expect(refresh(refreshed.value)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
      }
      expect(refusal(tokens)).toBe('TOKEN_REVOKED');
    }
  });

  it('is felt by another replica, and after a restart', async () => {
    const who = people();
    const replica = await tokensHub(database, { clock, who });
    const tokens = await hub.login();
    expect(refusal(tokens, replica)).toBeUndefined();
    await hub.door.revoke(revocation({ token: tokens.accessToken }), by(anna));
    await waitFor(() => refusal(tokens, replica) === 'TOKEN_REVOKED', 5000, 'the revocation on the other replica');
    await replica.stop();
    const restarted = await tokensHub(database, { clock, who });
    expect(refusal(tokens, restarted)).toBe('TOKEN_REVOKED');
    await restarted.stop();
  });

  it('ends a user inside another change, with the watermark of that change', async () => {
    const tokens = await hub.login();
    await hub.platform.write(TENANT, async (tx) => ({ result: null, changes: await hub.door.endUser(tx, TENANT, ANNA, 'suspended') }));
    expect(refusal(tokens)).toBe('SUBJECT_SUSPENDED');
    await expect(refresh(tokens)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
  });

  it('can revoke a minted token, which has no session in the database', async () => {
    const minted = await hub.mint(43_200_000, { role: 'admin', ipAddress: '' });
    expect(minted).toMatchObject({ expiresIn: 43_200, refreshToken: '' });
    expect(refusal(minted)).toBeUndefined();
    await hub.door.revoke(revocation({ token: minted.accessToken }), by(anna));
    expect(refusal(minted)).toBe('TOKEN_REVOKED');
  });
});
