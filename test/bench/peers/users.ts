// The same checks about the same 1,000 people in a tenant that grows from 1,000 users to a million.
import { CheckPermissionRequest } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { measure, type Result } from '../measure.ts';
import { play, type Stage } from './stage.ts';

export interface UsersResult {
  readonly users: number;
  readonly result: Result;
}

const SIZES = [1000, 100_000, 1_000_000];
const ASKED = 1000;
const ROLES = ['viewer', 'member', 'developer'];

const userId = (at: number): string => `usr_bench${at}`;

/** Users of those numbers, each with a role. */
const fill = (stage: Stage, first: number, end: number): Promise<void> =>
  stage.fill([
    [
      `INSERT INTO users (tenant_id, user_id, username, email, first_name, last_name, status, metadata)
       SELECT $1, 'usr_bench' || at, 'bench' || at, 'bench' || at || '@example.com', '', '', 'active', '{}'
       FROM generate_series($2::int, $3::int - 1) AS at`,
      [stage.tenantId, first, end],
    ],
    [
      `INSERT INTO role_assignment (tenant_id, subject_type, subject_id, role, assigned_by, created_at)
       SELECT $1, 'user', 'usr_bench' || at, ($4::text[])[1 + at % cardinality($4::text[])], 'user:bench', now()
       FROM generate_series($2::int, $3::int - 1) AS at`,
      [stage.tenantId, first, end, ROLES],
    ],
    ['ANALYZE users, role_assignment', []],
  ]);

export const userRows = async (stage: Stage): Promise<UsersResult[]> => {
  const { hub, headers, stop } = await play(stage);
  const requests = Array.from({ length: ASKED }, (_, at) => {
    const principal = { $case: 'subject' as const, value: { type: 'user', id: userId(at) } };
    const request = CheckPermissionRequest.fromPartial({ principal, action: 'read', resource: { type: 'conversations', id: 'c1' } });
    return Buffer.from(CheckPermissionRequest.encode(request).finish());
  });
  const results: UsersResult[] = [];
  try {
    for (const [at, users] of SIZES.entries()) {
      console.log(`${users} users …`);
      await fill(stage, SIZES[at - 1] ?? 0, users);
      const row = { name: `${users} users`, path: '/securityhub.v1.SecurityHub/CheckPermission', headers, requests };
      results.push({ users, result: await measure(row, hub) });
    }
  } finally {
    await stop();
  }
  return results;
};
