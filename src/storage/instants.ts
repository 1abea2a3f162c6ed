// Instants as the Dates in which the driver of Postgres reads and writes a timestamptz, and back.
import type { Instant } from '../base/time.ts';

export const instant = (date: Date | null): Instant | null => date?.getTime() ?? null;
export const date = (at: Instant | null): Date | null => (at === null ? null : new Date(at));
