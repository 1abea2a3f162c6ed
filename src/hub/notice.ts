// What is noticed about the use of credentials, beyond the verdict: places and rates of sessions, forged and revoked tokens. Findings are
// warnings and security events; they refuse where the tenant says so. Events are counted per peer and reason, so a flood costs a row.
import type { AuditEntry } from '../base/event.ts';
import { eventOf } from '../base/event.ts';
import { boundedMap } from '../base/bounded.ts';
import type { Call } from '../base/call.ts';
import { type Instant, type Millis, minutes } from '../base/time.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import type { TenantPolicy } from '../identity/identity.ts';
import type { Metrics, Recorder } from '../server/platform.ts';
import { createSessionWatch, type Place } from './session-watch.ts';
import type { Reason } from './verdict.ts';

/** Whose token was used. */
export interface Used {
  readonly tenantId: string;
  readonly subject: string;
  readonly sessionId: string;
  readonly tokenId: string;
}

/** As far as an event needs it; before authentication there is no whole call. */
export type Source = Pick<Call, 'caller' | 'method' | 'peer' | 'requestId'>;

export interface Noticed {
  readonly problem: Reason | null;
  readonly warning: Reason | null;
}

export interface Notice {
  /** Is the caller's word on address and device worth asking for? */
  isNews(used: Used, context: RequestContext | undefined, now: Instant): boolean;
  /** Looks at one use; `believed`: the caller may speak of addresses and devices. null where nothing is to be said. */
  use(used: Used, policy: TenantPolicy | null, context: RequestContext | undefined, believed: boolean, call: Call): Noticed | null;
  /** A token whose signature does not hold was shown. */
  forged(source: Source): void;
  /** A token was shown that had been ended; shown again, it is an alert. */
  ended(used: Used, reason: string, source: Source): void;
}

const SESSIONS = 20_000;
const STRANGE: Millis = minutes(10);
const ENDED = 10_000;

const EVENT_TYPES = ['session.anomaly', 'session.excess', 'token.forged', 'token.refused', 'token.reused'] as const;
type EventType = (typeof EVENT_TYPES)[number];

const CHANGED = {
  address: { code: 'ADDRESS_CHANGED', message: 'the session is used from another network than before' },
  device: { code: 'DEVICE_CHANGED', message: 'the session is used from another device than before' },
} as const;
const INDICATOR = { address: 'new_network', device: 'new_device' } as const;
const BLOCKED: Reason = {
  code: 'ANOMALY_BLOCKED',
  message: 'the session is used from somewhere else than before, and its tenant blocks that',
};
const EXCESS: Reason = { code: 'RATE_EXCEEDED', message: 'the session is used more often than its tenant expects' };
const LIMITED: Reason = { code: 'RATE_LIMITED', message: 'the session is used more often than its tenant allows' };

const placeOf = ({ ipAddress, deviceId }: RequestContext): Place => ({ address: ipAddress, deviceId });

export const createNotice = (ports: {
  readonly audit: Pick<Recorder, 'refused'>;
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>;
}): Notice => {
  const watch = createSessionWatch(SESSIONS, STRANGE);
  const endedBefore = boundedMap<string, true>(ENDED);
  ports.metrics.gauge('securityhub_sessions_watched', 'Sessions whose places and rates this replica remembers.', {}, () => watch.size);

  const counter = (type: EventType) => ports.metrics.counter('securityhub_security_events_total', 'Security events, by type.', { type });
  // There from the start: an alert on what was never counted is an alert on nothing.
  for (const type of EVENT_TYPES) counter(type);
  const raise = (source: Source, tenantId: string, type: EventType, resource: string, over: Partial<AuditEntry>): void => {
    counter(type).inc();
    ports.audit.refused(eventOf(source, tenantId, type, resource, { result: 'failure', level: 'warning', ...over }));
  };

  // One call may ask twice about the same token, as a gateway's does: its verdict and its decision are one use.
  const countedOn = new WeakMap<Call, string>();
  const excess = (used: Used, { requestsPerMinute, onExcess }: TenantPolicy, call: Call): Noticed | null => {
    if (countedOn.get(call) === used.sessionId) return null;
    countedOn.set(call, used.sessionId);
    if (!watch.exceeds(used.sessionId, requestsPerMinute, call.now)) return null;
    const blocks = onExcess === 'block';
    const { code } = blocks ? LIMITED : EXCESS;
    raise(call, used.tenantId, 'session.excess', `session:${used.sessionId}`, {
      reason: code,
      sessionId: used.sessionId,
      riskIndicators: ['rate'],
    });
    return blocks ? { problem: LIMITED, warning: null } : { problem: null, warning: EXCESS };
  };

  const anomaly = (used: Used, onAnomaly: TenantPolicy['onAnomaly'], place: Place, call: Call): Noticed | null => {
    const blocks = onAnomaly === 'block';
    const found = watch.see(used.sessionId, place, call.now, !blocks);
    if (found === null) return null;
    const warning = CHANGED[found.strange];
    if (found.first || blocks)
      raise(call, used.tenantId, 'session.anomaly', `session:${used.sessionId}`, {
        reason: blocks ? BLOCKED.code : warning.code,
        level: blocks ? 'alert' : 'warning',
        sessionId: used.sessionId,
        ipAddress: place.address,
        riskIndicators: [INDICATOR[found.strange]],
        details: { user_id: used.subject },
      });
    return blocks ? { problem: BLOCKED, warning: null } : { problem: null, warning };
  };

  return {
    isNews: ({ sessionId }, context, now) =>
      sessionId !== '' &&
      context !== undefined &&
      (context.ipAddress !== '' || context.deviceId !== '') &&
      !watch.isUsual(sessionId, placeOf(context), now),
    use(used, policy, context, believed, call) {
      if (used.sessionId === '') return null;
      const counted = policy !== null && policy.requestsPerMinute > 0 ? excess(used, policy, call) : null;
      if (counted !== null) return counted;
      const onAnomaly = policy?.onAnomaly ?? 'warn';
      if (!believed || onAnomaly === 'ignore' || context === undefined || (context.ipAddress === '' && context.deviceId === ''))
        return null;
      return anomaly(used, onAnomaly, placeOf(context), call);
    },
    forged: (source) =>
      raise(source, source.caller.kind === 'anonymous' ? '' : source.caller.tenantId, 'token.forged', 'token:', {
        reason: 'SIGNATURE_INVALID',
      }),
    ended({ tenantId, tokenId, subject, sessionId }, reason, source) {
      const again = endedBefore.get(tokenId, 0) === true;
      endedBefore.set(tokenId, true, 1);
      raise(source, tenantId, again ? 'token.reused' : 'token.refused', `token:${tokenId}`, {
        reason,
        level: again ? 'alert' : 'warning',
        sessionId,
        riskIndicators: again ? ['reuse'] : [],
        details: { user_id: subject },
      });
    },
  };
};
