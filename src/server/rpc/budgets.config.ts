// What one caller may cost a replica: far above what an honest one needs, far below what would starve the others.
import { integer } from '../config/field.ts';

const MOST = 1_000_000;

export const budgetsConfig = {
  cold: integer('COLD_VALIDATIONS_PER_SECOND', {
    default: '2000',
    min: 0,
    max: MOST,
    doc: 'Signature checks that one caller (of strangers, one address) may cause in a second on a replica, ten times as many after a pause; tokens seen before cost none. Beyond it RESOURCE_EXHAUSTED. 0: no limit, here and below.',
  }),
  keyMiss: integer('KEY_MISSES_PER_SECOND', {
    default: '200',
    min: 0,
    max: MOST,
    doc: 'The same for tokens of trusted issuers that name a key for which the issuer must be asked.',
  }),
  proof: integer('DPOP_PROOFS_PER_SECOND', {
    default: '2000',
    min: 0,
    max: MOST,
    doc: 'The same for DPoP proofs, each of which is checked: those of its own calls, and those that a workload hands on. A gateway with many bound tokens may need more.',
  }),
  revoke: integer('REVOKES_PER_SECOND', {
    default: '200',
    min: 0,
    max: MOST,
    doc: 'The same for revoking and logging out. Revocations that wait for other replicas have as many of their own.',
  }),
  issue: integer('ISSUES_PER_SECOND', {
    default: '200',
    min: 0,
    max: MOST,
    doc: 'The same for issuing and renewing certificates. One that issues for a whole mesh may need more.',
  }),
  login: integer('LOGINS_PER_SECOND', {
    default: '20',
    min: 0,
    max: MOST,
    doc: 'The same for logins and password changes. A front end that logs in many people may need more.',
  }),
  batches: integer('BATCHES_PER_CALLER', {
    default: '200',
    min: 1,
    max: MOST,
    doc: 'Batches of one caller that may be under way on a replica at the same time.',
  }),
  waits: integer('WAITING_REVOKES_PER_CALLER', {
    default: '100',
    min: 1,
    max: MOST,
    doc: 'Revocations of one caller that may wait for other replicas at the same time.',
  }),
};
