// Policy tests: what is asked of a set of policies, and what the answer must be. Read from a file, run without any store.
import type { Instant } from '../../base/time.ts';
import { UNBOUNDED } from '../bounds.ts';
import { CLASSIFICATIONS } from '../classification.ts';
import { parseType, TYPE_WORDS } from '../attribute.ts';
import type { Question } from '../question.ts';
import { type ResourceType, UNDECLARED } from '../resource-type.ts';
import type { Sources } from '../rights.ts';
import type { Grant, SubjectRows } from '../subject.ts';
import type { Role } from '../role.ts';
import type { Situation } from '../situation.ts';
import { API_VERSION } from './document.ts';
import { type FieldProblem, type Fields, newReading, readFields, type TextRule } from './fields.ts';
import type { Node, Position } from './node.ts';

export interface Expectation {
  /** A reason code, or `allow`, `deny`, `step_up`. */
  readonly want: string;
  /** Rules that must be among those applied, without their versions; null = any. */
  readonly rules: readonly string[] | null;
  /** Exactly these; null = any. */
  readonly obligations: readonly string[] | null;
}

export interface PolicyTest extends Expectation {
  readonly name: string;
  readonly at: Position;
  /** Who does what to what, in a few words. */
  readonly asked: string;
  readonly sources: Sources;
  readonly question: Question;
  readonly situation: Situation;
}

export interface Suite {
  /** Files of policies, as the suite names them. */
  readonly files: readonly string[];
  readonly types: readonly ResourceType[];
  readonly roles: readonly Role[];
  readonly tests: readonly PolicyTest[];
}

const WORD: TextRule = { max: 320, want: 'a name' };
const PERMISSION: TextRule = { max: 257, want: 'a permission such as invoices:read' };
const INSTANT: TextRule = { max: 40, want: 'a time such as "2026-03-02T12:00:00Z", in quotes' };
const CODE: TextRule = {
  pattern: /^(?:allow|deny|step_up|[A-Z_]{3,64})$/,
  want: 'allow, deny, step_up or a reason code such as DENIED_DEFAULT',
};

const readType = (fields: Fields): ResourceType => {
  const declared = fields.members('attributes', { max: 64, want: `a type: ${TYPE_WORDS}` });
  const wrong = declared.find(([, text]) => parseType(text) === null);
  if (wrong !== undefined) fields.problem('attributes', `${wrong[0]} has no type of ours`, `write ${TYPE_WORDS}`);
  const type: ResourceType = {
    ...UNDECLARED,
    name: fields.text('name', WORD),
    actions: fields.texts('actions', WORD, []),
    ownerActions: fields.texts('ownerActions', WORD, []),
    defaultClassification: fields.oneOf('defaultClassification', CLASSIFICATIONS, 'internal') ?? 'internal',
    attributes: Object.fromEntries(declared),
  };
  fields.done();
  return type;
};

const readRole = (fields: Fields): Role => {
  const role: Role = {
    ...UNBOUNDED,
    name: fields.text('name', WORD),
    description: '',
    permissions: fields.texts('permissions', PERMISSION, []),
    inherits: fields.texts('inherits', WORD, []),
    workloads: fields.texts('workloads', WORD, []),
    environments: fields.texts('environments', WORD, []),
    requireMfa: fields.flag('requireMfa'),
    clearance: fields.has('clearance') ? (fields.oneOf('clearance', CLASSIFICATIONS) ?? '') : '',
    builtIn: false,
  };
  fields.done();
  return role;
};

interface Principal {
  readonly sources: Sources;
  readonly mfaVerified: boolean;
}

const grant = (effect: Grant['effect'], permission: string, index: number): Grant => ({
  id: `${effect}-${index}`,
  effect,
  permission,
  resourceId: '',
  notBefore: null,
  expiresAt: null,
  condition: '',
  tree: null,
});

const EMPTY: Omit<SubjectRows, 'subject'> = { assignments: [], grants: [], memberships: [], delegations: [], clearance: null };

const readPrincipal = (name: string, fields: Fields): Principal => {
  const roles = fields.texts('roles', WORD, []);
  const grants = fields.texts('grants', PERMISSION, []).map((permission, index) => grant('allow', permission, index));
  const denies = fields.texts('denies', PERMISSION, []).map((permission, index) => grant('deny', permission, index));
  const clearance = fields.has('clearance') ? fields.oneOf('clearance', CLASSIFICATIONS) : undefined;
  const rows: SubjectRows = {
    ...EMPTY,
    subject: { type: fields.text('type', WORD, 'user'), id: fields.text('id', WORD, name) },
    assignments: roles.map((role) => ({ role, notBefore: null, expiresAt: null })),
    grants: [...grants, ...denies],
    clearance: clearance === undefined ? null : { clearance, expiresAt: null },
  };
  const groups = fields.texts('groups', WORD, []).map((id): SubjectRows => ({ ...EMPTY, subject: { type: 'group', id } }));
  const principal = { sources: { rows, groups, lent: [] }, mfaVerified: fields.flag('mfaVerified') };
  fields.done();
  return principal;
};

interface Resource {
  readonly question: Omit<Question, 'action'>;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const readObject = (fields: Fields, name: string): Readonly<Record<string, unknown>> => {
  const value = fields.value(name) ?? {};
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  fields.problem(name, 'is no object', 'write an object with named fields');
  return {};
};

const readResource = (fields: Fields): Resource => {
  const question = {
    type: fields.text('type', WORD),
    resourceId: fields.text('id', WORD, ''),
    resourceTenantId: '',
    ownerId: fields.text('ownerId', WORD, ''),
    classification: fields.has('classification') ? (fields.oneOf('classification', CLASSIFICATIONS) ?? '') : '',
    parents: [],
    believed: true,
  };
  const attributes = readObject(fields, 'attributes');
  fields.done();
  return { question, attributes };
};

const instantOf = (fields: Fields, fallback: Instant): Instant => {
  if (!fields.has('now')) return fallback;
  const at = Date.parse(fields.text('now', INSTANT));
  if (Number.isNaN(at)) fields.problem('now', 'is not a time', `write ${INSTANT.want}`);
  return Number.isNaN(at) ? fallback : at;
};

interface Cast {
  readonly principals: ReadonlyMap<string, Principal>;
  readonly resources: ReadonlyMap<string, Resource>;
  readonly now: Instant;
}

const readRisk = (fields: Fields): number | null => {
  if (!fields.has('riskScore')) return null;
  const value = fields.value('riskScore');
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  fields.problem('riskScore', 'is no risk', 'write a number from 0 to 1');
  return null;
};

const readTests = (fields: Fields, { principals, resources, now }: Cast): readonly PolicyTest[] => {
  const name = fields.text('name', { max: 256, want: 'a sentence' });
  const who = fields.text('principal', WORD);
  const what = fields.text('resource', WORD);
  const principal = principals.get(who);
  const resource = resources.get(what);
  if (principal === undefined && who !== '') fields.problem('principal', `no principal ${who} above`, 'name one of principals');
  if (resource === undefined && what !== '') fields.problem('resource', `no resource ${what} above`, 'name one of resources');
  const actions = fields.texts('actions', WORD);
  const situation: Situation = {
    now: instantOf(fields, now),
    horizon: null,
    mfaVerified: fields.flag('mfaVerified') || principal?.mfaVerified === true,
    authMethod: fields.text('authMethod', WORD, ''),
    riskScore: readRisk(fields),
    address: fields.text('address', WORD, ''),
    workload: fields.text('workload', WORD, ''),
    environment: fields.text('environment', WORD, ''),
    saidWorkload: '',
    saidEnvironment: '',
    scopes: [],
    sessionId: '',
    resource: resource?.attributes ?? {},
    context: readObject(fields, 'context'),
    asserted: readObject(fields, 'asserted'),
  };
  const expectation: Expectation = {
    want: fields.text('want', CODE),
    rules: fields.has('rules') ? fields.texts('rules', { max: 512, want: 'a rule as answers name it, without @<version>' }) : null,
    obligations: fields.has('obligations') ? fields.texts('obligations', WORD) : null,
  };
  fields.done();
  if (principal === undefined || resource === undefined) return [];
  return actions.map((action) => ({
    ...expectation,
    name,
    at: fields.at,
    asked: `${who} ${action} ${what}`,
    sources: principal.sources,
    question: { ...resource.question, action },
    situation,
  }));
};

export interface ReadSuite {
  /** null where there are problems. */
  readonly suite: Suite | null;
  readonly problems: readonly FieldProblem[];
}

/** `now`: for tests of a suite that names no time. */
export const readSuite = (node: Node, now: Instant): ReadSuite => {
  const reading = newReading();
  const top = readFields(node, '', reading);
  if (top === null) return { suite: null, problems: reading.problems };
  top.oneOf('apiVersion', [API_VERSION]);
  top.oneOf('kind', ['PolicyTests']);
  const files = top.texts('policies', { max: 1024, want: 'the path of a file of policies, from this file' });
  const types = top.objects('resourceTypes').map(readType);
  const roles = top.objects('roles').map(readRole);
  const cast: Cast = {
    principals: new Map(top.named('principals').map(([name, fields]) => [name, readPrincipal(name, fields)])),
    resources: new Map(top.named('resources').map(([name, fields]) => [name, readResource(fields)])),
    now: instantOf(top, now),
  };
  const tests = top.objects('tests').flatMap((fields) => readTests(fields, cast));
  if (tests.length === 0 && reading.problems.length === 0) top.problem('tests', 'has none', 'write what is asked and what is wanted');
  top.done();
  return { suite: reading.problems.length === 0 ? { files, types, roles, tests } : null, problems: reading.problems };
};
