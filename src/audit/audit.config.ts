// The audit capability's slice of the configuration.
import { daysField, type Field, flag } from '../server/config/field.ts';
import type { Decisions } from './audit.ts';

const decisions: Field<Decisions> = {
  name: 'AUDIT_DECISIONS',
  default: 'all',
  doc: 'Which allowed verdicts are kept. Equal ones are one event with a count: the first within a second, its repetitions every ten. Refusals are kept whatever stands here.',
  secret: false,
  type: 'all | refusals | sample:<rate from 0 to 1>',
  parse: (given) => {
    if (given === 'all' || given === 'refusals') return { value: { kind: given } };
    const rate = /^sample:(0|1|0?\.\d+|1\.0+)$/.exec(given)?.[1];
    return rate === undefined
      ? { problem: 'must be all, refusals or sample:<rate>, e.g. sample:0.01' }
      : { value: { kind: 'sample', rate: Number(rate) } };
  },
};

export const auditConfig = {
  enabled: flag('ENABLE_AUDIT_LOGGING', {
    default: 'true',
    doc: 'false stops best-effort events (allowed verdicts) only; changes, decryptions and refusals are kept always.',
  }),
  decisions,
  retention: daysField('DATA_RETENTION_DAYS', {
    default: '365',
    min: 1,
    max: 36_500,
    doc: 'How long audit events are kept. Whole months are dropped once their last day is older.',
  }),
};
