// Lets callers be as patient as they like: grpc-js counts the milliseconds of `grpc-timeout` in 32 bits, so that 25 days, or the 292 years
// that Go says for "whenever", become a moment ago or some other day.
import { BaseServerInterceptingCall } from '@grpc/grpc-js/build/src/server-interceptors.js';

/** setTimeout keeps no longer delay, nor does a signed 32-bit number. */
const LONGEST = 2 ** 31 - 1;

/** Milliseconds of the units that 8 digits can take beyond it ("Timeout" in the gRPC protocol over HTTP/2). */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/** Whether `grpc-timeout` says more than a timer can keep. */
export const isForever = (timeout: string): boolean => {
  const unit = UNITS[timeout.at(-1) ?? ''];
  return unit !== undefined && /^\d{1,8}.$/.test(timeout) && Number(timeout.slice(0, -1)) * unit > LONGEST;
};

interface Heading {
  handleTimeoutHeader?: (timeout: string | Buffer) => void;
}

/**
 * A deadline further away than a timer can keep is none: the call's own cap ends it long before. Once for all servers of this process.
 * Throws where the inside of grpc-js has changed.
 */
export const keepLongDeadlines = (): void => {
  const heading = BaseServerInterceptingCall.prototype as unknown as Heading;
  const { handleTimeoutHeader } = heading;
  if (handleTimeoutHeader === undefined) throw new Error('grpc-js no longer reads grpc-timeout in handleTimeoutHeader');
  if (handleTimeoutHeader.name === 'patient') return;
  heading.handleTimeoutHeader = function patient(this: unknown, timeout) {
    if (!isForever(timeout.toString())) handleTimeoutHeader.call(this, timeout);
  };
};
