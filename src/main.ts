#!/usr/bin/env node
// The program: hands the words of the command line to the command they name. The only file that ends the process.
import { run } from './cli/run.ts';

process.exitCode = await run(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  env: process.env,
});
