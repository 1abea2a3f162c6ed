// Nodes → policy documents. What a document may say stands here, field by field.
import {
  MASKS,
  API_VERSION,
  type Kind,
  KINDS,
  type Mask,
  type PolicyDocument,
  type Requirements,
  type Rule,
  type TimeWindow,
  UNSPEAKABLE,
} from './document.ts';
import { type Fields, type FieldProblem, newReading, readFields, type TextRule } from './fields.ts';
import type { Node, TextPosition } from './node.ts';
import { DAYS, windowProblem } from '../../base/access-window.ts';
import { CLASSIFICATIONS } from '../classification.ts';

const DOCUMENT_BOUNDS = { rules: 100, masks: 200, windows: 20, conditions: 100 } as const;

const NAME = /^[a-z][a-z0-9_.-]{0,127}$/;
const name = (want: string): TextRule => ({ pattern: NAME, max: 128, want });
const ACTION: TextRule = { pattern: /^(?:\*|[a-z][a-z0-9_.-]{0,127})$/, max: 128, want: 'an action such as read, or "*"' };
const TYPE: TextRule = name('the name of a resource type');
const ANY_TYPE: TextRule = { pattern: /^(?:\*|[a-z][a-z0-9_.-]{0,127})$/, max: 128, want: 'the name of a resource type, or "*"' };
const ROLE: TextRule = name('the name of a role');
const PERMISSION: TextRule = {
  pattern: /^[a-z][a-z0-9_.-]{0,127}:[a-z][a-z0-9_.-]{0,127}$/,
  max: 257,
  want: 'a permission such as invoices:read, without wildcard',
};
const PRINCIPAL: TextRule = {
  pattern: /^(?:user|service|group|role):[^\s]{1,320}$/,
  max: 330,
  want: 'a principal such as user:usr_1, service:default/billing, group:ops or role:viewer',
};
const WORD: TextRule = { pattern: /^[^\s,][^\n,]{0,127}$/, max: 128, want: 'a name' };
const CONDITION: TextRule = { pattern: /\S/, max: 4096, want: 'a CEL expression that is true or false' };
const WORDS: TextRule = { max: 1024, want: 'up to 1,024 characters' };
const OBLIGATION: TextRule = { pattern: /^[a-z][a-z0-9_.:=/-]{0,127}$/, max: 128, want: 'an obligation such as log or notify:owner' };
const CLOCK: TextRule = { max: 5, want: 'a time such as "08:00", in quotes' };
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)$/;

const instantOf = (fields: Fields, field: string): number | null => {
  if (!fields.has(field)) return null;
  const text = fields.text(field, { pattern: INSTANT, max: 40, want: 'a time such as "2026-01-01T00:00:00Z", in quotes' });
  const at = Date.parse(text);
  if (INSTANT.test(text) && Number.isNaN(at)) fields.problem(field, 'is no day of the calendar', 'write one that is');
  return Number.isNaN(at) ? null : at;
};

const readWindow = (fields: Fields): TimeWindow => {
  const window = {
    days: fields.texts('days', { want: DAYS.join(', ') }, []),
    start: fields.text('start', CLOCK, '00:00'),
    end: fields.text('end', CLOCK, '24:00'),
    timeZone: fields.text('timeZone', { max: 64, want: 'a time zone such as Europe/Berlin' }, 'UTC'),
  };
  if (fields.has('days') && window.days.length === 0) fields.problem('days', 'is empty', 'name a day, or leave it out for every day');
  const wrong = windowProblem(window);
  if (wrong !== null) {
    const [field = '', ...rest] = wrong[0] === 'time_zone' ? ['timeZone'] : wrong[0].split('[');
    fields.problem(field, rest.length === 0 ? `${wrong[1]}` : `has one that ${wrong[1]}`, 'correct it');
  }
  const [notBefore, notAfter] = [instantOf(fields, 'notBefore'), instantOf(fields, 'notAfter')];
  if (notBefore !== null && notAfter !== null && notBefore >= notAfter)
    fields.problem('notAfter', 'does not come after notBefore', 'write a later one');
  fields.done();
  return { ...window, notBefore, notAfter };
};

const windowsOf = (fields: Fields): readonly TimeWindow[] => {
  const windows = fields.objects('timeWindows').map(readWindow);
  if (windows.length > DOCUMENT_BOUNDS.windows)
    fields.problem('timeWindows', `more than ${DOCUMENT_BOUNDS.windows} windows`, 'write fewer');
  return windows;
};

const distinct = (fields: Fields, field: string, names: readonly string[]): void => {
  const twice = names.find((one, index) => names.indexOf(one) !== index);
  if (twice !== undefined) fields.problem(field, `${twice} is there twice`, 'give each its own name');
};

interface Scope {
  /** null: each rule names its own. */
  readonly resource: string | null;
  readonly denyOnly: boolean;
  readonly environments: readonly string[];
  readonly workloads: readonly string[];
  readonly principals: readonly string[];
}

/** Rights over the installation and over policies themselves stay with roles: nobody can lock himself out, or let himself in. */
const requireSpeakable = (fields: Fields, resource: string): void => {
  if (UNSPEAKABLE.includes(resource)) fields.problem('resource', `no policy speaks of ${resource}`, 'leave it to roles');
};

const readRule = (fields: Fields, scope: Scope): Rule => {
  const rule: Rule = {
    name: fields.text('name', name('a name of its own, such as no-weekends')),
    effect: fields.oneOf('effect', ['allow', 'deny']) ?? 'deny',
    resource: scope.resource ?? fields.text('resource', ANY_TYPE),
    actions: fields.texts('actions', ACTION),
    principals: scope.principals.length > 0 ? scope.principals : fields.texts('principals', PRINCIPAL, []),
    roles: fields.texts('roles', ROLE, []),
    environments: scope.environments.length > 0 ? scope.environments : fields.texts('environments', WORD, []),
    workloads: scope.workloads.length > 0 ? scope.workloads : fields.texts('workloads', WORD, []),
    timeWindows: windowsOf(fields),
    condition: fields.text('condition', CONDITION, ''),
    conditions: fields.texts('conditions', name('the name of a condition of a ConditionSet'), []),
    obligations: fields.texts('obligations', OBLIGATION, []),
    reason: fields.text('reason', WORDS, ''),
  };
  if (fields.has('actions') && rule.actions.length === 0) fields.problem('actions', 'is empty, so the rule says nothing', 'name an action');
  if (rule.effect === 'allow' && scope.denyOnly) fields.problem('effect', 'a SecurityPolicy only denies', 'allow in a ResourcePolicy');
  if (rule.effect === 'allow' && rule.resource === '*')
    fields.problem(scope.resource === null ? 'resource' : 'effect', 'a wildcard may deny, never allow', 'name the resource type');
  requireSpeakable(fields, rule.resource);
  fields.done();
  return rule;
};

const readRules = (fields: Fields, scope: Scope): readonly Rule[] => {
  const rules = fields.objects('rules').map((one) => readRule(one, scope));
  if (rules.length > DOCUMENT_BOUNDS.rules) fields.problem('rules', `more than ${DOCUMENT_BOUNDS.rules} rules`, 'split the policy');
  distinct(
    fields,
    'rules',
    rules.map((rule) => rule.name).filter((one) => one !== ''),
  );
  return rules;
};

const readRequirements = (fields: Fields, over: Pick<Requirements, 'resource' | 'environments' | 'workloads'>): Requirements | null => {
  const requirements: Requirements = {
    ...over,
    actions: fields.texts('actions', ACTION, ['*']),
    permissions: fields.texts('requiredPermissions', PERMISSION, []),
    roles: fields.texts('allowedRoles', ROLE, []),
    mfa: fields.flag('requireMfa'),
    timeWindows: windowsOf(fields),
    obligations: fields.texts('obligations', OBLIGATION, []),
  };
  if (fields.has('allowedRoles') && requirements.roles.length === 0)
    fields.problem('allowedRoles', 'is empty, which would allow everybody', 'name a role, or leave it out');
  const { permissions, roles, mfa, timeWindows, obligations } = requirements;
  return permissions.length + roles.length + timeWindows.length + obligations.length === 0 && !mfa ? null : requirements;
};

const readMask = (fields: Fields, resource: string): Mask => {
  const mask: Mask = {
    field: fields.text('field', { pattern: /^[A-Za-z_][\w.-]{0,127}$/, max: 128, want: 'the name of a field' }),
    mask: fields.oneOf('mask', MASKS) ?? 'full',
    resource,
    actions: fields.texts('actions', ACTION, ['read']),
    exceptRoles: fields.texts('exceptRoles', ROLE, []),
    condition: fields.text('condition', CONDITION, ''),
  };
  fields.done();
  return mask;
};

type Body = Pick<PolicyDocument, 'requirements' | 'rules' | 'masks' | 'classification' | 'named' | 'about'>;
const EMPTY: Body = { requirements: null, rules: [], masks: [], classification: '', named: {}, about: '*' };
const OPEN: Scope = { resource: null, denyOnly: false, environments: [], workloads: [], principals: [] };

const BODIES: Readonly<Record<Kind, (spec: Fields) => Body>> = {
  ResourcePolicy(spec) {
    const resource = spec.text('resource', TYPE);
    requireSpeakable(spec, resource);
    const masks = spec.objects('masks').map((one) => readMask(one, resource));
    if (masks.length > DOCUMENT_BOUNDS.masks) spec.problem('masks', `more than ${DOCUMENT_BOUNDS.masks} masks`, 'write fewer');
    return {
      ...EMPTY,
      about: resource,
      requirements: readRequirements(spec, { resource, environments: [], workloads: [] }),
      rules: readRules(spec, { ...OPEN, resource }),
      masks,
      classification: spec.has('classification') ? (spec.oneOf('classification', CLASSIFICATIONS) ?? '') : '',
    };
  },
  EnvironmentPolicy(spec) {
    const environments = spec.texts('environments', WORD);
    if (spec.has('environments') && environments.length === 0) spec.problem('environments', 'is empty', 'name an environment');
    const workloads = spec.texts('workloads', WORD, []);
    const resource = spec.text('resource', ANY_TYPE, '*');
    return {
      ...EMPTY,
      about: resource,
      requirements: readRequirements(spec, { resource, environments, workloads }),
      rules: readRules(spec, { ...OPEN, environments, workloads }),
    };
  },
  PrincipalPolicy(spec) {
    const principals = spec.texts('principals', PRINCIPAL);
    if (spec.has('principals') && principals.length === 0) spec.problem('principals', 'is empty', 'name a principal');
    return { ...EMPTY, rules: readRules(spec, { ...OPEN, principals }) };
  },
  SecurityPolicy(spec) {
    const resource = spec.text('resource', ANY_TYPE, '*');
    const environments = spec.texts('environments', WORD, []);
    return {
      ...EMPTY,
      about: resource,
      requirements: readRequirements(spec, { resource, environments, workloads: [] }),
      rules: readRules(spec, { ...OPEN, resource, denyOnly: true, environments }),
    };
  },
  ConditionSet(spec) {
    const about = spec.text('resource', ANY_TYPE, '*');
    const members = spec.members('conditions', CONDITION);
    const wrong = members.find(([key]) => !NAME.test(key));
    if (wrong !== undefined) spec.problem('conditions', `${wrong[0]} is not a name`, 'write names such as in-office-hours');
    if (members.length === 0) spec.problem('conditions', 'has none', 'write a name and a CEL expression');
    if (members.length > DOCUMENT_BOUNDS.conditions)
      spec.problem('conditions', `more than ${DOCUMENT_BOUNDS.conditions} conditions`, 'split the set');
    return { ...EMPTY, named: Object.fromEntries(members), about };
  },
};

export interface ReadDocument {
  /** null where it could not be made sense of. */
  readonly document: PolicyDocument | null;
  readonly problems: readonly FieldProblem[];
  readonly places: ReadonlyMap<string, TextPosition>;
}

export const readDocument = (node: Node): ReadDocument => {
  const reading = newReading();
  const top = readFields(node, '', reading);
  const answer = (document: PolicyDocument | null): ReadDocument => ({ ...reading, document });
  if (top === null) return answer(null);
  top.oneOf('apiVersion', [API_VERSION]);
  const kind = top.oneOf('kind', KINDS);
  const metadata = top.object('metadata');
  const spec = top.object('spec');
  if (metadata === null && !top.has('metadata')) top.problem('metadata', 'is missing', 'write metadata with a name');
  if (spec === null && !top.has('spec')) top.problem('spec', 'is missing', 'write what the policy says');
  top.done();
  const head = {
    name: metadata?.text('name', name('a name, unique in the set, such as invoices')) ?? '',
    description: metadata?.text('description', WORDS, '') ?? '',
    category: metadata?.text('category', name('a word such as finance'), '') ?? '',
  };
  metadata?.done();
  if (kind === undefined || spec === null) return answer(null);
  const body = BODIES[kind](spec);
  spec.done();
  const parts = body.rules.length + body.masks.length + Object.keys(body.named).length;
  if (parts === 0 && body.requirements === null && body.classification === '' && reading.problems.length === 0)
    spec.problem('', 'says nothing', 'write a rule or a requirement');
  return answer(reading.problems.length > 0 && head.name === '' ? null : { kind, ...head, ...body });
};
