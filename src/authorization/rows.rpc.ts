// What the rows of AuthorizationService share: their columns, times, subjects and pages.
import { badField } from '../base/fault.ts';
import { type Pager, pageSize } from '../base/page.ts';
import { type Instant, seconds } from '../base/time.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import type * as proto from '../gen/securityhub/v1/authorization.ts';
import type { Access } from '../server/rpc/define.ts';
import type { Page, Subject } from './authorization.ts';

export const timestamp = (at: Instant): Timestamp => ({ seconds: Math.floor(at / 1000), nanos: (at % 1000) * 1_000_000 });
export const optionalTimestamp = (at: Instant | null): Timestamp | undefined => (at === null ? undefined : timestamp(at));
/** A part of a millisecond counts as ended: nothing lasts longer than it was given. */
export const instant = (time: Timestamp | undefined): Instant | null =>
  time === undefined ? null : time.seconds * 1000 + Math.floor(time.nanos / 1_000_000);

export const required = <T>(field: string, value: T | undefined): T => {
  if (value === undefined) throw badField(field, 'must be set');
  return value;
};

export const subjectFrom = (ref: proto.SubjectRef): Subject => ({ type: ref.type === '' ? 'user' : ref.type, id: ref.id });

export const changing = (
  permission: string,
): { access: Access; audit: 'in-transaction'; limit: 'manage'; deadline: number; idempotency: 'idempotent' } => ({
  access: { permission, across: true },
  audit: 'in-transaction',
  limit: 'manage',
  deadline: seconds(5),
  idempotency: 'idempotent',
});

export const reading = (permission: string): { access: Access; audit: 'none'; limit: 'manage'; deadline: number; idempotency: 'safe' } => ({
  access: { permission, across: true },
  audit: 'none',
  limit: 'manage',
  deadline: seconds(5),
  idempotency: 'safe',
});

/** A page of a list that `query` shapes. */
export const pages = async <T>(
  pager: Pager,
  query: readonly unknown[],
  request: { readonly pageSize: number; readonly pageToken: string },
  load: (after: string, size: number) => Promise<Page<T>>,
): Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }> => {
  const { items, after } = await load(pager.open(query, request.pageToken), pageSize(request.pageSize));
  return { items, nextPageToken: after === '' ? '' : pager.seal(query, after) };
};
