// examples/envoy: it parses, and every name in it is one that stands somewhere.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { readGatewayRequest } from '../../src/hub/ext-authz/route.ts';
import { CheckRequest } from '../../src/gen/envoy/service/auth/v3/external_auth.ts';
import { serverConfig } from '../../src/server/config/server.config.ts';

type Node = Readonly<Record<string, unknown>>;
const root = join(import.meta.dirname, '../..');
const example = parse(readFileSync(join(root, 'examples/envoy/envoy.yaml'), 'utf8'), { strict: true }) as Node;

/** The values of a name, wherever it stands. */
const all = (node: unknown, name: string): unknown[] => {
  if (typeof node !== 'object' || node === null) return [];
  const own = !Array.isArray(node) && Object.hasOwn(node, name) ? [(node as Node)[name]] : [];
  return [...own, ...Object.values(node).flatMap((value) => all(value, name))];
};
const routes = (all(example, 'routes')[0] ?? []) as readonly Node[];
const routeOf = (path: string) =>
  routes.find(({ match }) => {
    const { path: exact, prefix, safe_regex: regex } = match as { path?: string; prefix?: string; safe_regex?: { regex: string } };
    return (
      exact === path ||
      (prefix !== undefined && path.startsWith(prefix)) ||
      (regex !== undefined && new RegExp(`^(?:${regex.regex})$`).test(path))
    );
  });
const saysOf = (path: string) => {
  const route = routeOf(path);
  return (all(route, 'context_extensions')[0] ?? {}) as Readonly<Record<string, string>>;
};
const read = (method: string, path: string) =>
  readGatewayRequest(
    CheckRequest.fromPartial({ attributes: { request: { http: { method, path } }, contextExtensions: saysOf(path) } }),
    'enforce',
  );

describe('the Envoy example', () => {
  it('routes to clusters that it has, and asks the port that we listen on', () => {
    const clusters = (all(example, 'clusters')[0] as readonly Node[]).map(({ name }) => name);
    const asked = [...all(example, 'cluster_name'), ...all(example, 'cluster')];
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.filter((name) => !clusters.includes(name))).toEqual([]);
    expect(all(example, 'port_value')).toContain(Number(serverConfig.grpcPort.default));
  });

  it('refuses where we do not answer, and reads paths in one way', () => {
    expect(all(example, 'failure_mode_allow')).toEqual([false]);
    expect([...all(example, 'path_with_escaped_slashes_action'), ...all(example, 'headers_with_underscores_action')]).toEqual([
      'REJECT_REQUEST',
      'REJECT_REQUEST',
    ]);
  });

  it('says only what we read', () => {
    const documented = /^\| `(\w+)` \|/gm;
    const section = readFileSync(join(root, 'docs/operating.md'), 'utf8').split('\n## Envoy\n')[1]?.split('\n## ')[0] ?? '';
    const names = [...section.matchAll(documented)].map(([, name]) => name);
    const said = all(example, 'context_extensions').flatMap((one) => Object.keys(one as Node));
    expect(said.length).toBeGreaterThan(6);
    expect(said.filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each([
    ['GET', '/v1/orders/42', { action: 'read', type: 'orders', id: '42' }, 'enforce'],
    ['POST', '/v1/orders', { action: 'write', type: 'orders', id: '' }, 'enforce'],
    ['POST', '/v1/orders/42/refund', { action: 'refund', type: 'orders', id: '42' }, 'enforce'],
    ['POST', '/v1/orders/42/refund/', { action: 'refund', type: 'orders', id: '42' }, 'enforce'],
    ['POST', '/shop.Orders/GetOrder', { action: 'read', type: 'orders', id: '' }, 'enforce'],
    ['GET', '/reports/7', { action: 'read', type: 'reports', id: '7' }, 'shadow'],
  ])('%s %s is %j', (method, path, target, mode) => {
    expect(read(method, path)).toMatchObject({ target, mode, upstream: 'orders' });
  });

  it.each(['/v1/orders/42/Refund', '/v1/orders/42/refund%20', '/v1/orders/42/items', '/v1/ordersx', '/'])('has no route for %s', (path) => {
    expect(routeOf(path)).toBe(undefined);
  });
});
