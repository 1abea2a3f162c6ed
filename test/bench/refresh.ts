// Refresh rotation: many sessions, each refreshing its newest token as fast as it is answered.
import { RefreshTokenRequest, RefreshTokenResponse } from '../../src/gen/securityhub/v1/token.ts';
import { type Caller, openCaller } from './driver.ts';
import { cpuSeconds } from './processes.ts';
import { login, type Setting } from './rows.ts';

const SESSIONS = 32;
const SECONDS = 5;

const refreshing = async (caller: Caller, first: string, until: number): Promise<number> => {
  let refreshToken = first;
  let count = 0;
  while (performance.now() < until) {
    const request = Buffer.from(RefreshTokenRequest.encode(RefreshTokenRequest.fromPartial({ refreshToken })).finish());
    refreshToken =
      RefreshTokenResponse.decode(await caller.call('/securityhub.v1.TokenService/RefreshToken', request)).tokens?.refreshToken ?? '';
    count += 1;
  }
  return count;
};

export const refreshRate = async (
  setting: Setting,
  pid: number,
): Promise<{ readonly perSecond: number; readonly perCpuSecond: number }> => {
  const caller = await openCaller(setting.grpc);
  const sessions: string[] = [];
  for (let count = 0; count < SESSIONS; count += 1) sessions.push((await login(caller, setting)).refreshToken);
  await Promise.all(sessions.splice(0, 8).map((token) => refreshing(caller, token, performance.now() + 1000)));
  const before = cpuSeconds(pid);
  const began = performance.now();
  const counts = await Promise.all(sessions.map((token) => refreshing(caller, token, began + SECONDS * 1000)));
  const total = counts.reduce((sum, one) => sum + one, 0);
  caller.close();
  return { perSecond: (total * 1000) / (performance.now() - began), perCpuSecond: total / (cpuSeconds(pid) - before) };
};
