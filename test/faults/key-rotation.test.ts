// Signing keys that change under load: what one replica signs, the other verifies at once.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { type Tokens, TokenServiceService as TokenService } from '../../src/gen/securityhub/v1/token.ts';
import { report } from './caller.ts';
import { makeWorld, PASSWORD, type Replica, type World } from './history-world.ts';

const SESSIONS = 8;
const ROTATIONS = 4;

let world: World;
beforeAll(async () => {
  world = await makeWorld({ replicas: 2, users: SESSIONS });
}, 60_000);
afterAll(async () => {
  await world?.stop();
}, 30_000);

const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;

describe('signing keys that are replaced at once, again and again', () => {
  it('fail no login, no refresh and no validation on any replica', async () => {
    const [one, two] = world.replicas as readonly [Replica, Replica];
    const refused: string[] = [];
    const kids = new Set<string>();
    let validated = 0;
    let rotating = true;

    /** Newest and first token, everywhere: signed with the key that has just begun, and with one long replaced. */
    const expectGood = async (tokens: readonly Tokens[]): Promise<void> => {
      for (const { accessToken } of tokens)
        for (const replica of [one, two]) {
          const { valid, reasons } = await replica.caller.ask(Hub.validateToken, { token: accessToken });
          validated += 1;
          if (!valid) refused.push(reasons[0]?.code ?? '');
        }
    };
    const session = async (username: string, [home, other]: readonly [Replica, Replica]): Promise<void> => {
      const { tokens: first } = await home.caller.ask(Authentication.login, { tenantId: 'dev', username, password: PASSWORD }, '');
      let newest = first;
      while (rotating && first !== undefined && newest !== undefined) {
        kids.add(kidOf(newest.accessToken));
        await expectGood([newest, first]);
        newest = (await other.caller.ask(TokenService.refreshToken, { refreshToken: newest.refreshToken }, '')).tokens;
      }
    };
    const running = world.users.map((username, at) => session(username, at % 2 === 0 ? [one, two] : [two, one]));
    for (let count = 0; count < ROTATIONS; count += 1) {
      const replica = count % 2 === 0 ? one : two;
      const { active } = await replica.caller.ask(TokenService.rotateSigningKey, { immediately: true, reason: 'drill' });
      // The next one not before somebody's token carries it.
      while (!kids.has(active?.kid ?? '')) await Promise.race([...running, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    rotating = false;
    await Promise.all(running);
    report(`${validated} validations over ${kids.size} keys`);
    expect(refused).toEqual([]);
    expect(kids.size).toBeGreaterThanOrEqual(ROTATIONS);
  }, 60_000);
});
