// Watching the keys that verify: all of them at the start and whenever they change, heartbeats in between.
import type { Call } from '../../base/call.ts';
import type { Jwks, Keyring } from '../keys/keyring.ts';
import { changeHead, type ChangeHead, type WatchRevocationsDeps } from './watch-revocations.ts';

export type KeysMessage = { readonly kind: 'keys'; readonly jwks: Jwks } | ({ readonly kind: 'heartbeat' } & ChangeHead);

export interface WatchKeysDeps extends Pick<WatchRevocationsDeps, 'clock' | 'feed' | 'watchers'> {
  readonly keyring: Pick<Keyring, 'jwks'>;
}

export const watchKeys = (deps: WatchKeysDeps) =>
  async function* (call: Call): AsyncGenerator<KeysMessage> {
    const watcher = deps.watchers.open(call);
    try {
      let told: Jwks | null = null;
      let beat = -1;
      for (;;) {
        watcher.assertOpen();
        const jwks = deps.keyring.jwks();
        if (jwks !== told) {
          told = jwks;
          yield { kind: 'keys', jwks };
        } else if (watcher.beat !== beat) {
          ({ beat } = watcher);
          yield { kind: 'heartbeat', ...changeHead(deps) };
        } else await watcher.news();
      }
    } finally {
      watcher.close();
    }
  };
