// Nobody works for a caller who has stopped waiting: the sooner of its deadline and our cap, its going away, or our drain ends the call.
import { Fault } from '../../../base/fault.ts';
import type { LiveCall } from '../live-call.ts';
import { isPromise } from '../../../base/maybe.ts';
import type { Layer, OnionPorts } from '../onion.ts';

/** setTimeout keeps no longer delay. */
const LONGEST_TIMER = 2 ** 31 - 1;

const late = (): Fault => new Fault('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', 'the deadline passed before the answer was ready');
const gone = (): Fault => new Fault('CANCELLED', 'CANCELLED', 'the caller went away');

/** Streams that run; each can be ended from outside. */
export type Running = Set<(fault: Fault) => void>;

export const deadline = (ports: Pick<OnionPorts, 'clock'>, running: Running): Layer => {
  const race = (call: LiveCall, work: Promise<Buffer>): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      let over = false;
      const streams = call.sink !== null;
      const finish = (): void => {
        over = true;
        clearTimeout(timer);
        if (streams) running.delete(end);
      };
      const end = (fault: Fault): void => {
        if (over) return;
        finish();
        call.abort(fault);
        reject(fault);
      };
      const left = call.deadline - ports.clock.now();
      if (left < LONGEST_TIMER) timer = setTimeout(() => end(late()), left);
      if (streams) running.add(end);
      call.onCancel(() => {
        // Transports report the end of every call as its cancellation, answered ones too: no fault is made for those.
        if (!over) end(ports.clock.now() >= call.deadline ? late() : gone());
      });
      work.then(
        (bytes) => {
          finish();
          resolve(bytes);
        },
        (thrown: unknown) => {
          finish();
          // Passed on as it is: the fault layer masks it.
          // oxlint-disable-inner-line prefer-promise-reject-errors
          reject(thrown);
        },
      );
    });

  return {
    name: 'deadline',
    // Inside fault, so that a late call is logged and counted like any other.
    after: ['fault'],
    wrap(route, inner) {
      const cap = route.row.deadline;
      return (call) => {
        call.deadline = Math.min(call.deadline, call.now + cap);
        if (call.deadline <= call.now) throw late();
        const answer = inner(call);
        return isPromise(answer) ? race(call, answer) : answer;
      };
    },
  };
};
