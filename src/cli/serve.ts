// `security-hub serve`: runs the hub until it is told to stop.
import { createApp } from '../app.ts';
import { Fault } from '../base/fault.ts';
import { refusals } from '../server/config/refusals.ts';
import { exitOnSignals } from '../server/process/lifecycle.ts';
import { letCallsDieYoung, settle } from '../server/process/collector.ts';
import type { Command } from './command.ts';
import { CONFIG_HELP, configuration } from './configuration.ts';
import { firstStart } from './first-start.ts';
import { postureOf } from './posture.ts';

/** Longer than draining may take; then the process ends whatever still runs. */
const SLACK = 10_000;

export const serveCommand: Command = {
  usage: 'serve [OPTIONS]',
  help: `Without POSTGRES_URI and REDIS_URL it runs on embedded stores, for this machine alone.
In development the first start makes the tenant dev and an administrator; every start prints lines to copy.
SIGTERM and SIGINT drain: not ready, finish what is under way, write what waits, exit 0.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    letCallsDieYoung();
    const { config } = configuration(argv, terminal);
    const reasons = refusals(postureOf(config));
    if (reasons.length > 0)
      throw new Fault('FAILED_PRECONDITION', 'NOT_FIT_TO_SERVE', `will not start:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`);

    const app = await createApp(config);
    const ended = new Promise<number>((resolve) => {
      const { drain, drainDelay } = config.grpc;
      exitOnSignals({ log: app.log, stop: app.stop, atMost: drain + drainDelay + SLACK, exit: (code) => (app.log.flush(), resolve(code)) });
    });
    // Whoever waits for readiness finds bootstrap.json written.
    const release = app.hold('the first start is under way');
    await app.start();
    try {
      if (config.server.environment !== 'production') await firstStart(app, terminal);
    } catch (error) {
      await app.stop();
      throw error;
    }
    settle();
    release();
    const code = await ended;
    // Whatever still holds the event loop open has had its time.
    process.exit(code);
  },
};
