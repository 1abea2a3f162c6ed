// Before the check: is there an Envoy at all?
import { envoyBinary } from './envoy-process.ts';

try {
  envoyBinary();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
