#!/usr/bin/env node
// The program: hands the words of the command line to the command they name. The only file that ends the process.
const out = (text: string): void => void process.stdout.write(`${text}\n`);
const err = (text: string): void => void process.stderr.write(`${text}\n`);

// Whoever reads only the beginning, as `| head` does, is no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

/** The runtime we are measured on; older ones lack what we are made of. */
const NODE = 26;

if (Number(process.versions.node.split('.')[0]) < NODE) {
  err(
    `security-hub needs Node ${NODE}; this is ${process.versions.node}. npm brings it along: npm run hub -- ${process.argv.slice(2).join(' ')}`,
  );
  process.exitCode = 1;
} else {
  // Not before the look at the version: the imports themselves need it.
  const { run } = await import('./cli/run.ts');
  process.exitCode = await run(process.argv.slice(2), { out, err, env: process.env });
}
