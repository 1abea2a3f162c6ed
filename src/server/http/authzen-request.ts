// What an AuthZEN client asks (OpenID Authorization API 1.0), as the messages of CheckPermission and BatchCheck. Pure.
import { Fault } from '../../base/fault.ts';
import type { Resource, Subject } from '../../gen/securityhub/v1/authorization.ts';

export type Members = Readonly<Record<string, unknown>>;

/** One evaluation, as the members of our messages. */
export interface Asked {
  readonly principal: { readonly $case: 'subject'; readonly value: Partial<Subject> };
  readonly action: string;
  readonly resource: Partial<Resource>;
  readonly context: Members | undefined;
}

const malformed = (field: string, description: string): Fault =>
  new Fault('INVALID_ARGUMENT', 'REQUEST_MALFORMED', `${field}: ${description}`, { violations: [{ field, description }] });

const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Own members only: what a caller did not write is not there. */
const member = (of: Members, name: string): unknown => (Object.hasOwn(of, name) ? of[name] : undefined);

const entity = (of: Members, field: string): Members => {
  const value = member(of, field);
  if (value === undefined) throw malformed(field, 'is required');
  if (!isMembers(value)) throw malformed(field, 'must be an object');
  return value;
};

const word = (of: Members, path: string): string => {
  const value = member(of, path.slice(path.lastIndexOf('.') + 1));
  if (value === undefined) throw malformed(path, 'is required');
  if (typeof value !== 'string' || value === '') throw malformed(path, 'must be a text that is not empty');
  return value;
};

const optional = (of: Members, path: string): Members | undefined => {
  const value = member(of, path.slice(path.lastIndexOf('.') + 1));
  if (value === undefined) return undefined;
  if (!isMembers(value)) throw malformed(path, 'must be an object');
  return value;
};

/** Ids of ours, and of subjects of trusted issuers; what else names a user is the name or address it logs in with. */
const USER_ID = /^usr_|:/;

const readSubject = (of: Members): Asked['principal'] => {
  const subject = entity(of, 'subject');
  const [type, id] = [word(subject, 'subject.type'), word(subject, 'subject.id')];
  const attributes = optional(subject, 'subject.properties');
  const who = type === 'user' && !USER_ID.test(id) ? { username: id } : { id };
  return { $case: 'subject', value: { type, ...who, ...(attributes === undefined ? {} : { attributes }) } };
};

/** Properties are the resource's attributes; two of them are what our resources have a field for. */
const readResource = (of: Members): Asked['resource'] => {
  const resource = entity(of, 'resource');
  const [type, id] = [word(resource, 'resource.type'), word(resource, 'resource.id')];
  const attributes = optional(resource, 'resource.properties');
  if (attributes === undefined) return { type, id };
  const [ownerId, classification] = [member(attributes, 'owner_id'), member(attributes, 'classification')];
  return {
    type,
    id,
    attributes,
    ...(typeof ownerId === 'string' ? { ownerId } : {}),
    ...(typeof classification === 'string' ? { classification } : {}),
  };
};

/** Rules read the action's properties as `context.action`. */
const withAction = (context: Members | undefined, properties: Members | undefined): Members | undefined =>
  properties === undefined ? context : { ...context, action: properties };

const readAction = (of: Members): Pick<Asked, 'action' | 'context'> => {
  const action = entity(of, 'action');
  const name = word(action, 'action.name');
  return { action: name, context: withAction(optional(of, 'context'), optional(action, 'action.properties')) };
};

/** What of a list is wanted; `limit` 0 = as many as there are room for. */
export interface Page {
  readonly limit: number;
  readonly token: string;
}

const readPage = (of: Members): Page => {
  const page = optional(of, 'page');
  const limit = page === undefined ? undefined : member(page, 'limit');
  const token = page === undefined ? undefined : member(page, 'token');
  if (limit !== undefined && !(Number.isInteger(limit) && Number(limit) > 0))
    throw malformed('page.limit', 'must be a whole number above 0');
  if (token !== undefined && typeof token !== 'string') throw malformed('page.token', 'must be a text');
  return { limit: Number(limit ?? 0), token: token ?? '' };
};

/** Which kind of subject may do it; an id that is there all the same is passed over (§8.4.1). */
export const readSubjectSearch = (
  of: Members,
): Pick<Asked, 'action' | 'context' | 'resource'> & { readonly type: string; readonly page: Page } => ({
  type: word(entity(of, 'subject'), 'subject.type'),
  ...readAction(of),
  resource: readResource(of),
  page: readPage(of),
});

/** Which resources of a type the subject may do it to; an id that is there all the same is passed over (§8.5.1). */
export const readResourceSearch = (of: Members): Omit<Asked, 'resource'> & { readonly type: string; readonly page: Page } => ({
  principal: readSubject(of),
  ...readAction(of),
  type: word(entity(of, 'resource'), 'resource.type'),
  page: readPage(of),
});

/** Who and what, without the action: what the search for actions asks. */
export const readSearch = (of: Members): Omit<Asked, 'action'> => ({
  principal: readSubject(of),
  resource: readResource(of),
  context: optional(of, 'context'),
});

/** INVALID_ARGUMENT / REQUEST_MALFORMED that names the member. Members nobody knows are passed over, as the API wants. */
export const readEvaluation = (of: Members): Asked => {
  const principal = readSubject(of);
  const asked = readAction(of);
  return { principal, ...asked, resource: readResource(of) };
};

const SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const;
export type Semantic = (typeof SEMANTICS)[number];

const readSemantic = (of: Members): Semantic => {
  const options = optional(of, 'options');
  const value = options === undefined ? undefined : member(options, 'evaluations_semantic');
  if (value === undefined) return 'execute_all';
  const semantic = SEMANTICS.find((one) => one === value);
  if (semantic === undefined) throw malformed('options.evaluations_semantic', `must be one of ${SEMANTICS.join(', ')}`);
  return semantic;
};

export interface Evaluations {
  readonly semantic: Semantic;
  /** In order; a Fault where one evaluation alone is malformed. */
  readonly items: readonly (Asked | Fault)[];
}

const MOST = 1000;
const DEFAULTED = ['subject', 'action', 'resource', 'context'] as const;

/** What an evaluation leaves out it takes, whole, from the top. */
const defaulted = (of: Members, item: Members): Members =>
  Object.fromEntries(
    DEFAULTED.flatMap((name) =>
      [item, of]
        .filter((one) => Object.hasOwn(one, name))
        .slice(0, 1)
        .map((one) => [name, one[name]]),
    ),
  );

/** null: no list, so it is a single evaluation. */
export const readEvaluations = (of: Members): Evaluations | null => {
  const list = member(of, 'evaluations');
  if (list === undefined || (Array.isArray(list) && list.length === 0)) return null;
  if (!Array.isArray(list)) throw malformed('evaluations', 'must be a list');
  if (list.length > MOST) throw malformed('evaluations', `must hold at most ${MOST}`);
  const semantic = readSemantic(of);
  const read = (item: unknown, at: number): Asked | Fault => {
    if (!isMembers(item)) throw malformed(`evaluations[${at}]`, 'must be an object');
    try {
      return readEvaluation(defaulted(of, item));
    } catch (thrown) {
      if (thrown instanceof Fault) return thrown;
      throw thrown;
    }
  };
  return { semantic, items: list.map(read) };
};
