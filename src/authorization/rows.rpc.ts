// What the rows of AuthorizationService share: their columns, times, subjects and pages.
import { badField } from '../base/fault.ts';
import { type Pager, pageSize } from '../base/page.ts';
import { millisOf } from '../base/proto-time.ts';
import { type Instant, seconds } from '../base/time.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import type * as proto from '../gen/securityhub/v1/authorization.ts';
import type { Access } from '../server/rpc/define.ts';
import type { Page, Subject } from './authorization.ts';

/** A part of a millisecond counts as ended: nothing lasts longer than it was given. */
export const instant = (time: Timestamp | undefined): Instant | null => (time === undefined ? null : Math.floor(millisOf(time)));

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
