// The built hub as a child process, as it ships: for wire, fault and bench tests.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './stores.ts';

const root = join(import.meta.dirname, '..');
export const MAIN = join(root, 'dist/main.js');

export type Environment = Readonly<Record<string, string>>;

export interface Bootstrap {
  readonly grpc: string;
  readonly http: string;
  readonly tenant_id: string;
  readonly username: string;
  readonly password: string;
  readonly access_token: string;
  readonly api_key: string;
}

export interface HubProcess {
  readonly pid: number;
  /** host:port */
  readonly grpc: string;
  readonly http: string;
  /** The address of its readiness. */
  readonly ready: string;
  readonly dataDir: string;
  /** Milliseconds from the start of the process to /readyz. */
  readonly startedIn: number;
  /** What the last development start in this data directory left behind. */
  bootstrap(): Bootstrap;
  /** Everything it printed, logs and banner. */
  output(): string;
  /** SIGTERM unless told otherwise; resolves with the exit code, null after a signal that cannot be caught. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  readonly ended: Promise<number | null>;
}

/** A master key file and a data directory of their own: replicas of one database share both or at least the key. */
export const hubHome = (): { readonly dataDir: string; readonly env: Environment } => {
  const dataDir = mkdtempSync(join(tmpdir(), 'security-hub-'));
  const keyPath = join(dataDir, 'master.key');
  writeFileSync(keyPath, randomBytes(32), { mode: 0o600 });
  return { dataDir, env: { DATA_DIR: dataDir, ENCRYPTION_KEY_PATH: keyPath } };
};

/** As the image has it. */
export const NODE_OPTIONS = '--max-semi-space-size=8 --v8-pool-size=1';

/** Nothing of the surrounding environment but what a process needs to run. */
const bare = (): Environment => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '',
  NODE_OPTIONS,
  MALLOC_ARENA_MAX: '2',
  ...(process.env['TZ'] === undefined ? {} : { TZ: process.env['TZ'] }),
});

const answers = async (url: string): Promise<number> => {
  try {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
};

export interface StartOptions {
  /** Do not wait for readiness. */
  readonly unready?: boolean;
  readonly patience?: number;
  /** Another build's `main.js`. */
  readonly main?: string;
  /** As soon as there is a process. */
  readonly spawned?: (pid: number | undefined) => void;
}

/** Rejects with its output when it ends before it is ready. */
export const startHub = async (env: Environment, options: StartOptions = {}): Promise<HubProcess> => {
  const main = options.main ?? MAIN;
  if (!existsSync(main)) throw new Error('dist is not built: npm run build');
  const [grpcPort, httpPort, probePort] = [await freePort(), await freePort(), await freePort()];
  const began = performance.now();
  const child = spawn(process.execPath, [main, 'serve'], {
    env: { ...bare(), GRPC_PORT: String(grpcPort), HTTP_PORT: String(httpPort), PROBE_PORT: String(probePort), LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  options.spawned?.(child.pid);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-200_000);
    });
  let code: number | null | undefined;
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (exit) => {
      code = exit;
      resolve(exit);
    });
  });
  const readyz = `http://127.0.0.1:${env['PROBE_PORT'] ?? probePort}/readyz`;
  const dataDir = env['DATA_DIR'] ?? join(root, 'data');
  if (options.unready !== true) {
    const end = began + (options.patience ?? 25_000);
    while ((await answers(readyz)) !== 200) {
      if (code !== undefined) throw new Error(`the hub ended with ${code}:\n${output}`);
      if (performance.now() > end) {
        child.kill('SIGKILL');
        throw new Error(`the hub did not get ready:\n${output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return {
    pid: child.pid ?? 0,
    grpc: `127.0.0.1:${env['GRPC_PORT'] ?? grpcPort}`,
    http: `http://127.0.0.1:${env['HTTP_PORT'] ?? httpPort}`,
    ready: readyz,
    dataDir,
    startedIn: performance.now() - began,
    bootstrap: () => JSON.parse(readFileSync(join(dataDir, 'bootstrap.json'), 'utf8')) as Bootstrap,
    output: () => output,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
    ended,
  };
};

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** One command of the built command line, to its end. */
export const runCli = (args: readonly string[], env: Environment = {}, input = ''): Promise<Ran> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { env: { ...bare(), ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.stdin.end(input);
    child.once('close', (code) => resolve({ code, out, err }));
  });
