// Attempts to leave no trace, on the built hub: what happened must be found in the audit log, with whom it happened to.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '../harness.ts';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.stop());

interface Event {
  readonly resource: string;
  readonly level: string;
  readonly count: number;
  readonly details: { readonly locks?: boolean };
}

const failed = () =>
  world.db.sql<Event & Record<string, unknown>>(
    "SELECT resource, level, count::int, details FROM audit_event WHERE tenant_id = 'victim' AND type = 'user.login_failed' ORDER BY time",
  );

describe('guessed passwords', () => {
  it('leave an event for each account, and an alert for the guess that locks it', async () => {
    const people = [];
    for (const name of ['anna', 'bert', 'cleo']) people.push(await world.user(world.victim, 'victim', name, ['member']));
    const guess = (username: string) =>
      world.anonymous('AuthenticationService/Login', { tenantId: 'victim', username, password: 'not-the-password-1' });
    for (const name of ['anna', 'bert', 'cleo']) await guess(name);
    for (let n = 0; n < 4; n++) await guess('anna');
    await waitFor(async () => (await failed()).reduce((sum, { count }) => sum + count, 0) >= 7, 15_000);
    const events = await failed();
    expect([...new Set(events.map(({ resource }) => resource))].toSorted()).toEqual(people.map(({ id }) => `user:${id}`).toSorted());
    const alerts = events.filter(({ level }) => level === 'alert');
    expect(alerts).toMatchObject([{ resource: `user:${people[0]?.id}`, details: { locks: true } }]);
  }, 30_000);
});
