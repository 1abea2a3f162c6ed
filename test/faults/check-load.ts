// A steady load of checks about one subject, and what it was told: how many, how fast, and the last yes.
import { CheckPermissionRequest, SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import type { Caller } from './caller.ts';

export interface CheckLoad {
  /** Checks answered so far. */
  answered(): number;
  /** When the last check was sent that was allowed; -Infinity before the first. */
  lastAllowed(): number;
  /** Was the newest question that has an answer allowed? */
  allowed(): boolean;
  /** Codes of everything that was no answer. */
  readonly errors: readonly string[];
  stop(): Promise<void>;
}

/** What is late is made up for, but never more than so many are under way: a replica that stands still must not be drowned. */
const UNDER_WAY = 200;
const TICK = 5;

export const startCheckLoad = (caller: Caller, check: Partial<CheckPermissionRequest>, perSecond: number): CheckLoad => {
  const request = CheckPermissionRequest.fromPartial(check);
  const began = performance.now();
  const errors: string[] = [];
  const underWay = new Set<Promise<void>>();
  let [sent, answered, lastAllowed] = [0, 0, Number.NEGATIVE_INFINITY];
  let newest = { at: Number.NEGATIVE_INFINITY, allowed: false };

  const one = async (): Promise<void> => {
    const at = performance.now();
    const { code, answer } = await caller.tell(Hub.checkPermission, request);
    if (answer === null) return void errors.push(code);
    answered += 1;
    if (answer.allowed && at > lastAllowed) lastAllowed = at;
    if (at >= newest.at) newest = { at, allowed: answer.allowed };
  };
  const timer = setInterval(() => {
    const due = ((performance.now() - began) / 1000) * perSecond;
    for (; sent < due && underWay.size < UNDER_WAY; sent += 1) {
      const asked = one();
      underWay.add(asked);
      void asked.then(() => underWay.delete(asked));
    }
  }, TICK);
  return {
    answered: () => answered,
    lastAllowed: () => lastAllowed,
    allowed: () => newest.allowed,
    errors,
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
};
