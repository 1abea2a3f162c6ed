import { describe, expect, it } from '@jest/globals';
import { userCaller } from '../../../../test/callers.ts';
import { EncryptRequest, SecurityHubService } from '../../../gen/securityhub/v1/security_hub.ts';
import type { LiveCall, Route } from '../live-call.ts';
import { read } from './read.ts';

const NOTHING = Buffer.alloc(0);
const request = (size: number): Uint8Array => EncryptRequest.encode(EncryptRequest.fromPartial({ plaintext: Buffer.alloc(size) })).finish();

/** Turns of the event loop in which several requests were handled that came in the same one. */
const turnsOf = async (size: number): Promise<ReadonlySet<number>> => {
  const turns = new Set<number>();
  let turn = 0;
  let over = false;
  const next = (): void => {
    turn += 1;
    if (!over) setImmediate(next);
  };
  setImmediate(next);
  const step = read().wrap({ wire: SecurityHubService.encrypt } as unknown as Route, ({ request: message }) => {
    expect((message as EncryptRequest).plaintext).toHaveLength(size);
    turns.add(turn);
    return NOTHING;
  });
  const input = request(size);
  const call = (): LiveCall => ({ input, caller: userCaller('acme', 'usr_1') }) as unknown as LiveCall;
  await Promise.all(Array.from({ length: 4 }, async () => step(call())));
  over = true;
  return turns;
};

describe('requests that come at once', () => {
  it('take a turn of the event loop each where they are large, so that they do not hold it together', async () => {
    expect((await turnsOf(20_000)).size).toBe(4);
  });

  it('are handled at once where they are small', async () => {
    expect((await turnsOf(1000)).size).toBe(1);
  });
});
