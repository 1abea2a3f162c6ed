// The call that a command makes on itself: nobody's credential, the operator's own machine.
import type { Call } from '../base/call.ts';
import { type Millis, seconds } from '../base/time.ts';
import type { Random } from '../base/random.ts';

export const localCall = (command: string, random: Random, patience: Millis = seconds(30)): Call => {
  const now = Date.now();
  return {
    method: `cli/${command}`,
    caller: { kind: 'anonymous' },
    peer: { transport: 'local', address: '', loopback: true, certificate: null },
    requestId: random.id('cli'),
    traceparent: '',
    userAgent: 'security-hub cli',
    dpop: '',
    target: '',
    now,
    deadline: now + patience,
    signal: AbortSignal.timeout(patience),
  };
};
