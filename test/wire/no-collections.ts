// Preloaded into the built hub (`node --import`): its heap is hardly ever collected whole, and told by SIGUSR2 it says how many bytes of
// buffers it holds. What stays then was taken for lasting by the collector of young objects.
import { setFlagsFromString } from 'node:v8';

setInterval(() => {
  setFlagsFromString('--heap-growing-percent=1000');
  setFlagsFromString('--no-external-memory-accounted-in-global-limit');
}, 10).unref();

process.on('SIGUSR2', () => process.stderr.write(`\n[holds ${process.memoryUsage().arrayBuffers} bytes]\n`));
