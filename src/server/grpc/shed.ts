// Lets a call go when its stream has closed. V8 makes a function that is written straight into a property (`state.onwrite = () => …`, and
// each of Node's writable streams has one) old at birth; dead, it keeps the stream it knows until the next full collection. What it keeps
// then shall be the stream alone, not all that listened to it: the call, its request, its answer.

interface Emitter {
  _events?: Record<string, unknown>;
  _eventsCount?: number;
}

const ignore = (): void => {};

/** After its last event, which those who listen still hear. An error that came all the same would be nobody's, and end the process. */
export const shed = (stream: object): void => {
  const emitter = stream as Emitter;
  emitter._events = { error: ignore };
  emitter._eventsCount = 1;
};
