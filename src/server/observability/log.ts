// Structured logs: one JSON object a line on standard output, through the allow-list of `scrub.ts`.
import pino from 'pino';
import type { Log } from '../platform.ts';
import { scrubFields, scrubText } from './scrub.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface ProcessLog extends Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  /** Writes what is still held back; for the last moments of the process. */
  flush(): void;
}

export interface LogOptions {
  readonly service: string;
  readonly level: LogLevel;
  /** Where lines go instead of standard output. */
  readonly write?: (line: string) => void;
}

export const createLog = (options: LogOptions): ProcessLog => {
  const { write } = options;
  // Not synchronous: a reader that stalls must not stall the event loop with it.
  const standardOutput = write === undefined ? pino.destination({ dest: 1, sync: false }) : null;
  const logger = pino(
    {
      level: options.level,
      base: { service: options.service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }), log: scrubFields },
    },
    standardOutput ?? { write: (line: string) => write?.(line) },
  );
  return {
    debug: (fields, message) => logger.debug(fields, scrubText(message)),
    info: (fields, message) => logger.info(fields, scrubText(message)),
    warn: (fields, message) => logger.warn(fields, scrubText(message)),
    error: (fields, message) => logger.error(fields, scrubText(message)),
    flush: () => {
      try {
        standardOutput?.flushSync();
      } catch {
        // Not open yet, or its reader is gone: there is nowhere left to say so.
      }
    },
  };
};
