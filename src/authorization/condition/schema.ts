// What conditions can speak of: subject, resource, context and the rest, with the types of their attributes.
import { BOOL, DOUBLE, DYN, type Field, type Fields, listOf, mapOf, type Schema, STRING, TIMESTAMP, type Type } from './type.ts';

/**
 * What an evaluation reads: plain JSON values as they came, checked against the schema when they are read. Timestamps are RFC 3339
 * texts, durations as in CEL, bytes base64; an absent or null attribute is missing.
 */
export interface Activation {
  readonly subject: Attributed;
  readonly resource: Attributed;
  /** The action asked for. */
  readonly action: string;
  /** Attributes of the call. */
  readonly context: Attributes;
  /** What the caller says about the subject, and may be wrong about. */
  readonly asserted: Attributes;
  readonly workload: string;
  readonly environment: string;
  /** Milliseconds since 1970, the same for every rule of one decision. */
  readonly now: number;
}

export type Attributes = Readonly<Record<string, unknown>>;

export interface Attributed {
  readonly attributes?: Attributes;
  readonly [field: string]: unknown;
}

export interface Declared {
  /** Read as `resource.<name>`; a name that a field of ours has is never reached. */
  readonly resource?: Readonly<Record<string, Type>>;
  readonly subject?: Readonly<Record<string, Type>>;
  /** Absent: anything, of no known type. */
  readonly context?: Readonly<Record<string, Type>>;
  readonly asserted?: Readonly<Record<string, Type>>;
}

const own = (types: Readonly<Record<string, Type>>): Fields =>
  Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type } satisfies Field]));

const attributes = (types: Readonly<Record<string, Type>> = {}): Fields =>
  Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type, in: 'attributes' } satisfies Field]));

const SUBJECT_FIELDS: Readonly<Record<string, Type>> = {
  type: STRING,
  id: STRING,
  tenant_id: STRING,
  roles: listOf(STRING),
  groups: listOf(STRING),
  scopes: listOf(STRING),
  status: STRING,
  session_id: STRING,
  auth_method: STRING,
  mfa_verified: BOOL,
  risk_score: DOUBLE,
};

/** Of every resource, whatever its type declares. */
export const RESOURCE_FIELDS: Readonly<Record<string, Type>> = {
  type: STRING,
  id: STRING,
  tenant_id: STRING,
  owner_id: STRING,
  classification: STRING,
};

const OWN_SUBJECT = own(SUBJECT_FIELDS);
const OWN_RESOURCE = own(RESOURCE_FIELDS);

const VARIABLES: Schema['variables'] = {
  subject: { kind: 'object', name: 'subject' },
  resource: { kind: 'object', name: 'resource' },
  action: STRING,
  context: mapOf(DYN),
  asserted: mapOf(DYN),
  workload: STRING,
  environment: STRING,
  now: TIMESTAMP,
};

/** The schema of conditions about one resource type, or, without one, of conditions about any. There are thousands: they share what they can. */
export const conditionSchema = ({ resource, subject, context, asserted }: Declared = {}): Schema => ({
  variables:
    context === undefined && asserted === undefined
      ? VARIABLES
      : {
          ...VARIABLES,
          ...(context === undefined ? {} : { context: { kind: 'object', name: 'context' } }),
          ...(asserted === undefined ? {} : { asserted: { kind: 'object', name: 'asserted' } }),
        },
  objects: {
    subject: subject === undefined ? OWN_SUBJECT : { ...attributes(subject), ...OWN_SUBJECT },
    resource: resource === undefined ? OWN_RESOURCE : { ...attributes(resource), ...OWN_RESOURCE },
    ...(context === undefined ? {} : { context: own(context) }),
    ...(asserted === undefined ? {} : { asserted: own(asserted) }),
  },
});
