// Refresh rotation: many sessions, each refreshing its newest token as fast as it is answered.
import { RefreshTokenRequest, RefreshTokenResponse } from '../../src/gen/securityhub/v1/token.ts';
import { type Caller, openCaller, percentile } from './driver.ts';
import { cpuSeconds } from './processes.ts';
import { login, type Setting } from './rows.ts';

const SESSIONS = 32;
const SECONDS = 5;

/** How long each took, in milliseconds. */
const refreshing = async (caller: Caller, first: string, until: number): Promise<number[]> => {
  let refreshToken = first;
  const times: number[] = [];
  for (let asked = performance.now(); asked < until; asked = performance.now()) {
    const request = Buffer.from(RefreshTokenRequest.encode(RefreshTokenRequest.fromPartial({ refreshToken })).finish());
    refreshToken =
      RefreshTokenResponse.decode(await caller.call('/securityhub.v1.TokenService/RefreshToken', request)).tokens?.refreshToken ?? '';
    times.push(performance.now() - asked);
  }
  return times;
};

export interface RefreshRate {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export const refreshRate = async (setting: Setting, pid: number): Promise<RefreshRate> => {
  const caller = await openCaller(setting.grpc);
  const sessions: string[] = [];
  for (let count = 0; count < SESSIONS; count += 1) sessions.push((await login(caller, setting)).refreshToken);
  await Promise.all(sessions.splice(0, 8).map((token) => refreshing(caller, token, performance.now() + 1000)));
  const before = cpuSeconds(pid);
  const began = performance.now();
  const times = (await Promise.all(sessions.map((token) => refreshing(caller, token, began + SECONDS * 1000)))).flat();
  const elapsed = performance.now() - began;
  const cpu = cpuSeconds(pid) - before;
  caller.close();
  times.sort((a, b) => a - b);
  return {
    perSecond: (times.length * 1000) / elapsed,
    perCpuSecond: times.length / cpu,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
  };
};
