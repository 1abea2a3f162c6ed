// The whole configuration: every slice under the name of its room. A new capability adds one line here.
import { type ConfigOf, load, type Loaded, type Schema, type Sources } from './load.ts';
import { reservedConfig } from './reserved.config.ts';
import { serverConfig } from './server.config.ts';

export const schema = {
  server: serverConfig,
  reserved: reservedConfig,
} as const satisfies Schema;

export type Config = ConfigOf<typeof schema>;

/** The configuration of this process, or every problem in one Fault (FAILED_PRECONDITION / CONFIG_INVALID). */
export const loadConfig = (sources: Sources, flagProblems: readonly string[] = []): Loaded<typeof schema> =>
  load(schema, sources, flagProblems);
