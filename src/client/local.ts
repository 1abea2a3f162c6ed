// Local mode: `validateToken` judged in this process where that can be done, by the hub where not, and by nobody when neither can know.
import { Fault } from '../base/fault.ts';
import { type Millis, minutes, systemClock } from '../base/time.ts';
import type { DeepPartial, ValidateTokenRequest, ValidateTokenResponse } from '../gen/securityhub/v1/security_hub.ts';
import { createFreshness } from '../storage/freshness.ts';
import { createKeyring } from '../tokens/keys/keyring.ts';
import { createMirror } from '../tokens/mirror.ts';
import { createJudge } from './judge.ts';
import { followNews, type NewsDeps } from './news.ts';
import type { CallOptions, LocalMode, LocalState } from './options.ts';

export type ValidateToken = (request?: DeepPartial<ValidateTokenRequest>, options?: CallOptions) => Promise<ValidateTokenResponse>;

export interface LocalDeps extends Pick<NewsDeps, 'token' | 'onProblem'> {
  readonly ask: ValidateToken;
  /** The client shows a token or API key of its own. */
  readonly bearer: boolean;
  /** Tests only. */
  readonly clock?: NewsDeps['clock'];
}

export interface Local {
  readonly validateToken: ValidateToken;
  state(): LocalState;
  restart(): void;
  close(): void;
}

const MAX_STALENESS: Millis = minutes(5);
const CACHE = 50_000;
const MIRROR = 2_000_000;
/** Codes that say nothing of the credential. */
const AWAY: ReadonlySet<string> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED']);

export const createLocal = (deps: LocalDeps, mode: LocalMode): Local => {
  const clock = deps.clock ?? systemClock;
  const maxStaleness = mode.maxStaleness ?? MAX_STALENESS;
  const keyring = createKeyring();
  const mirror = createMirror(mode.mirrorSize ?? MIRROR);
  const fresh = createFreshness(clock, maxStaleness, 'nothing has come from the hub yet');
  const news = followNews({ ...deps, clock, keyring, mirror, fresh, tenants: mode.tenants ?? [], maxStaleness });
  const judge = createJudge({
    clock: { now: () => news.now(), monotonic: () => clock.monotonic() },
    keyring,
    mirror,
    fresh,
    rules: () => news.rules(),
    cursor: () => news.cursor(),
    bearer: deps.bearer,
    maxStaleness,
    capacity: mode.cacheSize ?? CACHE,
  });
  let judged = 0;
  let asked = 0;

  const obstacle = (): string | null => {
    const why = fresh.blocked();
    if (why !== null) return why;
    if (mirror.full) return 'too many live revocations';
    return fresh.age() >= maxStaleness ? 'the news of revocations are too old' : null;
  };

  const askHub = async (request: DeepPartial<ValidateTokenRequest>, options?: CallOptions): Promise<ValidateTokenResponse> => {
    asked += 1;
    try {
      return await deps.ask(request, options);
    } catch (cause) {
      const why = obstacle();
      if (why === null || !(cause instanceof Fault) || !AWAY.has(cause.code)) throw cause;
      const age = fresh.age();
      const meta = { hub: cause.reason, ...(Number.isFinite(age) ? { staleness_ms: String(Math.round(age)) } : {}) };
      throw new Fault('UNAVAILABLE', 'FEED_STALE', `no verdict: ${why}, and the hub cannot be asked`, { cause, meta, retryAfter: 1000 });
    }
  };

  return {
    validateToken(request = {}, options) {
      const verdict = judge(request);
      if (verdict === null) return askHub(request, options);
      judged += 1;
      return Promise.resolve(verdict);
    },
    state: () => ({
      obstacle: obstacle(),
      age: fresh.age(),
      revocationSeq: news.cursor(),
      revocations: mirror.size,
      tokens: judge.size,
      judged,
      asked,
    }),
    restart: () => news.restart(),
    close: () => news.close(),
  };
};
