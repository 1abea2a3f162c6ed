// The load test on both engines, one after the other on the same core, and what more policies do to the same requests.
import { measure, type Result, type Row } from '../measure.ts';
import * as cerbos from './cerbos.ts';
import type { Peers } from './fetch.ts';
import { DECISIONS, type Page, PAGES, pad, POLICIES_PER_UNIT } from './leave.ts';
import { applyLeave, BATCH, requestOf, seedLeave, verifyLeave } from './leave-hub.ts';
import { play, type Playing, type Stage } from './stage.ts';

/** Companies. Cerbos is measured at the size of its own load test; it takes more than half a minute to start with the largest here. */
const SIZES = [1, 100, 1000];
const CERBOS_SIZE = 100;

export interface LoadResult {
  readonly policies: number;
  readonly hub: Result;
  /** null where it was not measured. */
  readonly cerbos: Result | null;
  /** The two requests of the first company alone. */
  readonly same: Result;
}

const PER = (DECISIONS[0] ?? 0) + (DECISIONS[1] ?? 0);
const COMMON = { connections: 5, streams: 20, per: PER / 2 } as const;

const ofAll = <T>(units: number, make: (unit: string, at: number, id: number) => T): T[] =>
  Array.from({ length: units * PAGES.length }, (_, id) => make(pad(Math.floor(id / PAGES.length)), id % PAGES.length, id));

const cerbosRow = async (peers: Peers, units: number): Promise<Result | null> => {
  if (peers.cerbos === null) return null;
  const server = await cerbos.startCerbos(peers.cerbos.path, units);
  const requests = ofAll(units, (unit, at, id) => cerbos.requestOf(unit, PAGES[at] as Page, id));
  try {
    return await measure({ ...COMMON, name: 'Cerbos', path: cerbos.CHECK, requests }, server);
  } finally {
    await server.stop();
  }
};

const grow = async ({ hub, caller, token, headers }: Playing, peers: Peers): Promise<LoadResult[]> => {
  const results: LoadResult[] = [];
  let applied = 0;
  for (const units of SIZES) {
    const policies = units * POLICIES_PER_UNIT;
    console.log(`${policies} policies …`);
    await applyLeave(caller, token, applied, units);
    applied = units;
    await verifyLeave(caller, token, units - 1);
    const row = (name: string, companies: number): Row => ({
      ...COMMON,
      name,
      path: BATCH,
      headers,
      requests: ofAll(companies, (unit, at) => requestOf(unit, PAGES[at] as Page)),
    });
    const same = await measure(row('the same two requests', 1), hub);
    const all = units === 1 ? same : await measure(row('Security Hub', units), hub);
    results.push({ policies, hub: all, same, cerbos: units === CERBOS_SIZE ? await cerbosRow(peers, units) : null });
  }
  return results;
};

/** All companies and their policies, without measuring anything. */
export const fillLeave = async (stage: Stage): Promise<void> => {
  const most = Math.max(...SIZES);
  await stage.fill(seedLeave(stage.tenantId, most));
  const { caller, token, stop } = await play(stage);
  await applyLeave(caller, token, 0, most);
  await verifyLeave(caller, token, most - 1);
  await stop();
};

export const loadRows = async (stage: Stage, peers: Peers): Promise<LoadResult[]> => {
  const most = Math.max(...SIZES);
  await stage.fill(seedLeave(stage.tenantId, most));
  const playing = await play(stage);
  try {
    return await grow(playing, peers);
  } finally {
    await playing.stop();
  }
};
