// Instants as google.protobuf.Timestamp.
import type { Instant } from '../base/time.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';

export const timestampOf = (at: Instant): Timestamp => ({ seconds: Math.floor(at / 1000), nanos: (at % 1000) * 1e6 });
export const optionalTimestamp = (at: Instant | null): Timestamp | undefined => (at === null ? undefined : timestampOf(at));
