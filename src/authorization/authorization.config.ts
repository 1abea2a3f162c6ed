// Settings of the authorization capability: how long rights stay in memory. News of a change is not waited for: it clears them at once.
import { integer, minutesField, secondsField } from '../server/config/field.ts';

export const authorizationConfig = {
  rightsCacheEntries: integer('RIGHTS_CACHE_ENTRIES', {
    default: '10000',
    // A batch is decided on rights that are all in memory at one moment: two of 1,000 subjects must fit.
    min: 2000,
    max: 10_000_000,
    doc: 'Subjects whose roles, grants and denies are kept in memory, about 1 KiB each.',
  }),
  rightsCacheTtl: minutesField('RIGHTS_CACHE_MINUTES', {
    default: '5',
    min: 0.1,
    max: 1440,
    doc: "How long a subject's roles, grants and denies are kept in memory when nothing changes.",
  }),
  roleCacheEntries: integer('ROLE_CACHE_TENANTS', {
    default: '1000',
    min: 10,
    max: 1_000_000,
    doc: 'Tenants whose roles and resource types are kept in memory.',
  }),
  roleCacheTtl: minutesField('ROLE_CACHE_MINUTES', {
    default: '60',
    min: 0.1,
    max: 1440,
    doc: "How long a tenant's roles and resource types are kept in memory when nothing changes.",
  }),
  decisionsPerSecond: integer('DECISION_RECORDS_PER_SECOND', {
    default: '10',
    min: 0,
    max: 1000,
    doc: 'Decisions a second that a replica records, to be explained and replayed later; ten times as many in a burst, those beyond are not recorded. 0 = none.',
  }),
  decisionDays: integer('DECISION_RECORD_DAYS', {
    default: '7',
    min: 1,
    max: 365,
    doc: 'How long recorded decisions are kept; of a tenant, the newest 100,000.',
  }),
  decisionTtl: secondsField('DECISION_TTL_SECONDS', {
    default: '30',
    min: 1,
    max: 300,
    doc: 'How long a caller may keep a decision (valid_until), unless the rights behind it end sooner.',
  }),
};
