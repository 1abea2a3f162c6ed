// AuthZEN (OpenID Authorization API 1.0) for clients that speak it: JSON in, CheckPermission and BatchCheck behind the same onion, its words out.
import { StructSchema } from '@bufbuild/protobuf/wkt';
import { Fault, toFault } from '../../base/fault.ts';
import { Struct } from '../../gen/google/protobuf/struct.ts';
import {
  BatchCheckRequest,
  BatchCheckResponse,
  CheckPermissionRequest,
  CheckPermissionResponse,
  PermissionCheck,
  type PermissionCheckResult,
} from '../../gen/securityhub/v1/security_hub.ts';
import type { Descriptors } from '../descriptors/registry.ts';
import type { Invoker } from '../rpc/invoke.ts';
import { type Decision, decisionOf, failed, upTo } from './authzen-answer.ts';
import { type Asked, type Evaluations, type Members, readEvaluation, readEvaluations } from './authzen-request.ts';
import { createSearch } from './authzen-search.ts';
import { HTTP, retryAfter } from './faults.ts';
import { readJson, utf8Text } from './json.ts';
import { type HttpRequest, type HttpRoute, json, type Reply } from './route.ts';

const METADATA = '/.well-known/authzen-configuration';
const EVALUATION = '/access/v1/evaluation';
const EVALUATIONS = '/access/v1/evaluations';
const SEARCH_SUBJECT = '/access/v1/search/subject';
const SEARCH_RESOURCE = '/access/v1/search/resource';
const SEARCH_ACTION = '/access/v1/search/action';

const CHECK = '/securityhub.v1.SecurityHub/CheckPermission';
const BATCH = '/securityhub.v1.SecurityHub/BatchCheck';

export interface AuthzenDeps {
  readonly invoker: Pick<Invoker, 'invoke'>;
  readonly descriptors: () => Descriptors;
  /** Where clients reach us: the metadata's own name (§9.1.1). */
  readonly base: string;
  /** Are guarded routes served here? Where they are not, there is nothing to describe. */
  readonly served: boolean;
}

/** An error is a status and one message (§10.1.2): a no is never one. */
const refusal = (fault: Fault): Reply => ({
  status: HTTP[fault.code],
  headers: {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    ...(fault.code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer' } : {}),
    ...retryAfter(fault),
  },
  body: `${fault.reason}: ${fault.message}\n`,
});

export const authzenRoutes = ({ invoker, descriptors, base, served }: AuthzenDeps): readonly HttpRoute[] => {
  const call = async (path: string, bytes: Uint8Array, request: HttpRequest): Promise<Buffer> => {
    const header = (name: string): string => (name === 'x-request-id' ? request.requestId : request.header(name));
    const onCancel = (listener: () => void): void => request.onCancel(listener);
    return invoker.invoke(path, bytes, { peer: request.peer, deadline: Number.POSITIVE_INFINITY, header, onCancel });
  };

  /** Read as a Struct: names that stand twice, bad text and depths that nobody needs are refused by the library that reads all our JSON. */
  const members = (request: HttpRequest): Members => {
    const type = request.header('content-type').split(';', 1)[0]?.trim().toLowerCase();
    if (type !== 'application/json')
      throw new Fault('INVALID_ARGUMENT', 'CONTENT_TYPE_UNSUPPORTED', 'content-type must be application/json');
    return Struct.unwrap(Struct.decode(readJson(StructSchema, utf8Text(request.body), descriptors())));
  };

  const evaluate = async (asked: Asked, request: HttpRequest): Promise<Decision> => {
    const message = CheckPermissionRequest.fromPartial(asked);
    try {
      return decisionOf(CheckPermissionResponse.decode(await call(CHECK, CheckPermissionRequest.encode(message).finish(), request)));
    } catch (thrown) {
      // Nothing is allowed on a type that nobody declared; asking was no mistake of the protocol.
      if (thrown instanceof Fault && thrown.code === 'NOT_FOUND') return failed(404, thrown);
      throw thrown;
    }
  };

  const batch = async (checks: BatchCheckRequest['checks'], request: HttpRequest): Promise<BatchCheckResponse['results']> => {
    try {
      const bytes = BatchCheckRequest.encode(BatchCheckRequest.fromPartial({ checks })).finish();
      return BatchCheckResponse.decode(await call(BATCH, bytes, request)).results;
    } catch (thrown) {
      // Nothing left to decide, but asked all the same: only whoever may ask is told so.
      if (checks.length === 0 && thrown instanceof Fault && thrown.code === 'INVALID_ARGUMENT') return [];
      throw thrown;
    }
  };

  const evaluateAll = async ({ semantic, items }: Evaluations, request: HttpRequest): Promise<readonly Decision[]> => {
    const asked = items.filter((item): item is Asked => !(item instanceof Fault));
    const results = await batch(
      asked.map((one) => PermissionCheck.fromPartial(one)),
      request,
    );
    let next = 0;
    const decided = (): Decision => decisionOf(results[next++] as PermissionCheckResult);
    return upTo(
      semantic,
      items.map((item) => (item instanceof Fault ? failed(HTTP[item.code], item) : decided())),
    );
  };

  const search = createSearch({ call, evaluateAll });

  const route = (path: string, answer: (of: Members, request: HttpRequest) => Promise<unknown>): HttpRoute => ({
    method: 'POST',
    path,
    exposure: 'guarded',
    async handle(request) {
      try {
        return json(200, await answer(members(request), request));
      } catch (thrown) {
        return refusal(toFault(thrown));
      }
    },
  });

  const metadata: HttpRoute = {
    method: 'GET',
    path: METADATA,
    exposure: 'public',
    handle: () =>
      json(
        200,
        {
          policy_decision_point: base,
          access_evaluation_endpoint: `${base}${EVALUATION}`,
          access_evaluations_endpoint: `${base}${EVALUATIONS}`,
          search_subject_endpoint: `${base}${SEARCH_SUBJECT}`,
          search_resource_endpoint: `${base}${SEARCH_RESOURCE}`,
          search_action_endpoint: `${base}${SEARCH_ACTION}`,
        },
        { 'cache-control': 'public, max-age=3600' },
      ),
  };

  return [
    route(EVALUATION, (of, request) => evaluate(readEvaluation(of), request)),
    route(EVALUATIONS, async (of, request) => {
      const evaluations = readEvaluations(of);
      if (evaluations === null) return evaluate(readEvaluation(of), request);
      return { evaluations: await evaluateAll(evaluations, request) };
    }),
    route(SEARCH_SUBJECT, search.subjects),
    route(SEARCH_RESOURCE, search.resources),
    route(SEARCH_ACTION, search.actions),
    // An issuer that is no address has no place where its document could be.
    ...(served && /^https?:\/\//.test(base) ? [metadata] : []),
  ];
};
