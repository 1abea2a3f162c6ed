// Whatever goes wrong inside leaves as a Fault: the unknown is masked and logged, every refusal is counted for the audit log.
import { eventOf } from '../../../base/event.ts';
import { badField, type Fault, toFault } from '../../../base/fault.ts';
import type { Millis } from '../../../base/time.ts';
import type { LiveCall } from '../live-call.ts';
import { pathOf } from '../paths.ts';
import { isPromise } from '../../../base/maybe.ts';
import type { Layer, OnionPorts } from '../onion.ts';

/** Ours to mend, not the caller's: these are logged, and recorded as errors rather than refusals. */
const OURS: ReadonlySet<string> = new Set(['INTERNAL', 'UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED']);

const requestIds = new WeakMap<Fault, string>();

/** The request id of the call that ended in this fault, '' if it never was one. */
export const requestIdOf = (fault: Fault): string => requestIds.get(fault) ?? '';

/** Lets `limit` lines through in any second and counts the rest: an outage must not fill the disk. */
const everySecond = (limit: number, clock: OnionPorts['clock']): (() => { skipped: number } | null) => {
  let since: Millis = Number.NEGATIVE_INFINITY;
  let used = 0;
  let skipped = 0;
  return () => {
    const now = clock.monotonic();
    if (now - since >= 1000) {
      since = now;
      used = 0;
    }
    if (used >= limit) {
      skipped++;
      return null;
    }
    used++;
    const before = skipped;
    skipped = 0;
    return { skipped: before };
  };
};

const holdsNul = (value: unknown): boolean => typeof value === 'string' && value.includes('\0');

/** A store that cannot keep a text does not say which one it was; the request does. */
const namingField = (known: Fault, { request }: LiveCall): Fault => {
  if (known.reason !== 'REQUEST_INVALID' || known.violations.length > 0) return known;
  const field = pathOf(request, holdsNul);
  if (field === null) return known;
  return badField(field, 'must not hold NUL characters');
};

export const fault = (ports: Pick<OnionPorts, 'log' | 'clock' | 'recorder'>): Layer => {
  const mayLog = everySecond(50, ports.clock);

  const settle = (call: LiveCall, thrown: unknown): Fault => {
    const known = namingField(toFault(thrown), call);
    requestIds.set(known, call.requestId);
    const ours = OURS.has(known.code);
    if (ours && known.code !== 'CANCELLED') {
      const turn = mayLog();
      if (turn !== null) {
        const fields = { method: call.method, code: known.code, reason: known.reason, requestId: call.requestId, lost: turn.skipped };
        if (known.code === 'INTERNAL') ports.log.error({ ...fields, cause: known.cause }, known.message);
        else ports.log.warn({ ...fields, cause: known.cause }, known.message);
      }
    }
    try {
      const tenantId = call.caller.kind === 'anonymous' ? '' : call.caller.tenantId;
      ports.recorder.refused(
        eventOf(call, tenantId, 'call.refused', `method:${call.method}`, {
          ...call.noted,
          result: ours ? 'error' : 'failure',
          reason: known.reason,
          level: ours ? 'info' : 'warning',
          details: { ...call.noted?.details, code: known.code },
        }),
      );
    } catch (cause) {
      ports.log.error({ method: call.method, cause }, 'a refusal could not be recorded');
    }
    return known;
  };

  return {
    name: 'fault',
    // Inside observe, so that what is counted is the code the caller sees.
    after: ['observe'],
    wrap: (_route, inner) => (call) => {
      let answer: ReturnType<typeof inner>;
      try {
        answer = inner(call);
      } catch (thrown) {
        throw settle(call, thrown);
      }
      return isPromise(answer)
        ? answer.then(undefined, (thrown: unknown) => {
            throw settle(call, thrown);
          })
        : answer;
    },
  };
};
