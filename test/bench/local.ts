// The client's local mode: validations a second of the calling service's own CPU, next to a real hub that tells it everything.
import { execFileSync, fork } from 'node:child_process';
import { join } from 'node:path';
import { openCaller } from './driver.ts';
import { pin, startHub } from './processes.ts';
import { login, type Setting } from './rows.ts';
import { signingKey } from './sign-tokens.ts';

export interface LocalResult {
  readonly tokens: number;
  readonly perCpuSecond: number;
  readonly budget: number;
  /** Bytes of memory that a token takes while its verdict is kept. */
  readonly perToken: number;
}

interface Said {
  readonly perCpuSecond: number;
  readonly asked: number;
  readonly known: number;
  readonly perToken: number;
}

const BUDGETS = [
  { tokens: 1000, budget: 700_000 },
  { tokens: 100_000, budget: 250_000 },
] as const;

/** A hub whose signing key is a file, so that as many tokens can be made as are wanted. */
export const localRates = async (env: Readonly<Record<string, string>>, setting: Omit<Setting, 'grpc'>): Promise<LocalResult[]> => {
  execFileSync(process.execPath, [join(import.meta.dirname, '../../scripts/client.ts')], { stdio: 'inherit' });
  const keyPath = signingKey();
  const hub = await startHub({ ...env, TLS: 'off', JWT_PRIVATE_KEY_PATH: keyPath });
  const caller = await openCaller(hub.grpc);
  const { accessToken } = await login(caller, { ...setting, grpc: hub.grpc });
  caller.close();
  const results: LocalResult[] = [];
  for (const { tokens, budget } of BUDGETS) {
    const child = fork(join(import.meta.dirname, 'local-caller.ts'), [hub.grpc, accessToken, keyPath, String(tokens), '4500'], {
      execArgv: ['--expose-gc'],
    });
    pin(child.pid, 1);
    const said = await new Promise<Said>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Said));
      child.once('exit', (code) => reject(new Error(`the caller ended with ${code}`)));
    });
    if (said.asked > 0 || said.known < tokens)
      throw new Error(`local mode asked the hub ${said.asked} times and knew ${said.known} tokens`);
    results.push({ tokens, budget, perCpuSecond: said.perCpuSecond, perToken: said.perToken });
  }
  await hub.stop();
  return results;
};
