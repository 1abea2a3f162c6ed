// AuthZEN's three searches: ListSubjects, ListResources, and each action that a type declares, asked of BatchCheck.
import { Fault } from '../../base/fault.ts';
import {
  Effect,
  ListResourcesRequest,
  ListResourcesResponse,
  ListResourceTypesRequest,
  ListResourceTypesResponse,
  ListSubjectsRequest,
  ListSubjectsResponse,
  type Resource,
} from '../../gen/securityhub/v1/authorization.ts';
import type { Decision } from './authzen-answer.ts';
import {
  type Asked,
  type Evaluations,
  type Members,
  type Page,
  readResourceSearch,
  readSearch,
  readSubjectSearch,
} from './authzen-request.ts';
import type { HttpRequest } from './route.ts';

const TYPES = '/securityhub.v1.AuthorizationService/ListResourceTypes';
const SUBJECTS = '/securityhub.v1.AuthorizationService/ListSubjects';
const RESOURCES = '/securityhub.v1.AuthorizationService/ListResources';

export interface SearchDeps {
  call(path: string, bytes: Uint8Array, request: HttpRequest): Promise<Buffer>;
  evaluateAll(evaluations: Evaluations, request: HttpRequest): Promise<readonly Decision[]>;
}

type Search = (of: Members, request: HttpRequest) => Promise<Members>;

interface Found {
  readonly type: string;
  readonly id: string;
}

/** Results of one answer, where the client does not say; and pages of ours that one answer may be put together from. */
const MOST = 1000;
const PAGES = 10;

const NOBODY: Members = { results: [], page: { next_token: '' } };

/** Our pages look at a bounded number and may be short: they are followed until there are enough. */
const gather = async (
  { limit, token }: Page,
  load: (size: number, token: string) => Promise<{ readonly found: readonly Found[]; readonly next: string }>,
): Promise<Members> => {
  const wanted = limit === 0 ? MOST : Math.min(limit, MOST);
  const results: Found[] = [];
  let next = token;
  for (let pages = 0; pages < PAGES && results.length < wanted; pages += 1) {
    const page = await load(wanted - results.length, next);
    results.push(...page.found);
    next = page.next;
    if (next === '') break;
  }
  return { results, page: { next_token: next, count: results.length } };
};

/** A type that nobody declared has no resources, and nobody may do anything to it (§8): asking was no mistake. */
const unlessUnknown = async (search: Promise<Members>): Promise<Members> => {
  try {
    return await search;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'NOT_FOUND') return NOBODY;
    throw thrown;
  }
};

const isAllowed = ({ effect }: { readonly effect: Effect }): boolean => effect === Effect.EFFECT_ALLOW;

export const createSearch = ({ call, evaluateAll }: SearchDeps): Readonly<Record<'subjects' | 'resources' | 'actions', Search>> => {
  const listResources = async (message: ListResourcesRequest, request: HttpRequest): Promise<ListResourcesResponse> =>
    ListResourcesResponse.decode(await call(RESOURCES, ListResourcesRequest.encode(message).finish(), request));

  /**
   * A search says what is asked for, not what is known of it: what is registered of the resource counts where nothing else is said, and
   * the caller may read it.
   */
  const filled = async (resource: Asked['resource'], request: HttpRequest): Promise<Partial<Resource>> => {
    if (resource.attributes !== undefined) return resource;
    const one = ListResourcesRequest.fromPartial({ resourceType: resource.type ?? '', resourceId: resource.id ?? '' });
    try {
      const { resources } = await listResources(one, request);
      const known = resources[0]?.resource;
      return known === undefined ? resource : { ...known, tenantId: '' };
    } catch (thrown) {
      // Of a type that nobody declared nothing is known either; the search itself finds nobody.
      if (thrown instanceof Fault && ['PERMISSION_DENIED', 'NOT_FOUND'].includes(thrown.code)) return resource;
      throw thrown;
    }
  };

  const subjects: Search = async (of, request) => {
    const { type, action, context, resource, page } = readSubjectSearch(of);
    const kind = type === 'user' || type === 'service' ? type : '';
    const asked = { action, context, resource: await filled(resource, request), subjectType: kind };
    const answer = gather(kind === '' ? { limit: 1, token: '' } : page, async (pageSize, pageToken) => {
      const message = ListSubjectsRequest.fromPartial({ ...asked, pageSize, pageToken });
      const listed = ListSubjectsResponse.decode(await call(SUBJECTS, ListSubjectsRequest.encode(message).finish(), request));
      const found = listed.subjects.filter(isAllowed).map(({ subject, username }) => ({ type, id: username || (subject?.id ?? '') }));
      return { found, next: listed.nextPageToken };
    });
    // Nobody is of a kind that we do not know; only whoever may ask is told so.
    return unlessUnknown(kind === '' ? answer.then(() => NOBODY) : answer);
  };

  const resources: Search = (of, request) => {
    const { principal, action, context, type: resourceType, page } = readResourceSearch(of);
    return unlessUnknown(
      gather(page, async (pageSize, pageToken) => {
        const message = ListResourcesRequest.fromPartial({ principal, action, context, resourceType, pageSize, pageToken });
        const listed = await listResources(message, request);
        const found = listed.resources.filter(isAllowed).map(({ resource }) => ({ type: resourceType, id: resource?.id ?? '' }));
        return { found, next: listed.nextPageToken };
      }),
    );
  };

  /** What the type says it knows; [] for a type that nobody declared. */
  const actionsOf = async (type: string, request: HttpRequest): Promise<readonly string[]> => {
    let pageToken = '';
    do {
      const bytes = ListResourceTypesRequest.encode(ListResourceTypesRequest.fromPartial({ pageSize: 1000, pageToken })).finish();
      const page = ListResourceTypesResponse.decode(await call(TYPES, bytes, request));
      const found = page.resourceTypes.find(({ name }) => name === type);
      if (found !== undefined) return found.actions;
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return [];
  };

  const actions: Search = async (of, request) => {
    const asked = readSearch(of);
    const names = await actionsOf(asked.resource.type ?? '', request);
    if (names.length === 0) return { results: [] };
    const whole = { ...asked, resource: await filled(asked.resource, request) };
    const decisions = await evaluateAll({ semantic: 'execute_all', items: names.map((action) => ({ ...whole, action })) }, request);
    return { results: names.filter((_, at) => decisions[at]?.decision === true).map((name) => ({ name })) };
  };

  return { subjects, resources, actions };
};
