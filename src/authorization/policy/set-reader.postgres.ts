// What a set of policies is compiled from, read from Postgres: all of it, or what came and went since a version.
import { sql } from 'kysely';
import type { TenantId } from '../../base/caller.ts';
import type { Tx } from '../../storage/storage.ts';
import type { SetReader, StoredBody } from './load.ts';
import { among, BODY_FORM, chunks, policyTable, standingAt } from './policy-rows.postgres.ts';
import { activeVersion } from './sets.postgres.ts';

/** Rows of a set in pages: those of one statement are parsed in one go. */
const PAGE = 100;
/** Of names alone. */
const NAMES = 1000;

/** What is compiled: the text only where the body is of another form. */
const bodiesAt = (tx: Tx, tenantId: TenantId, version: number) =>
  standingAt(tx, tenantId, version).select([
    'name',
    'from_version',
    sql<string | null>`CASE WHEN form <= ${BODY_FORM} THEN body END`.as('body'),
    sql<string>`CASE WHEN form <= ${BODY_FORM} THEN '' ELSE content END`.as('content'),
    sql<boolean>`offers <> '{}'`.as('offers'),
  ]);

const toBody = ({ from_version, ...row }: Omit<StoredBody, 'version'> & { readonly from_version: string | number }): StoredBody => ({
  ...row,
  version: Number(from_version),
});

/** All pages of a query in the order of its names. */
const pagesOf = async <T extends { readonly name: string }>(page: (after: string) => Promise<readonly T[]>, size: number): Promise<T[]> => {
  const found: T[] = [];
  for (let after = ''; ; after = found.at(-1)?.name ?? '') {
    const rows = await page(after);
    found.push(...rows);
    if (rows.length < size) return found;
  }
};

export const setReader: SetReader = {
  async since(tx, tenantId, version) {
    const at = await activeVersion(tx, tenantId);
    if (at === version) return { version: at, come: [], gone: [] };
    const come = await pagesOf(async (after) => {
      const rows = bodiesAt(tx, tenantId, at).where('from_version', '>', version).where('name', '>', after);
      return (await rows.orderBy('name').limit(PAGE).execute()).map(toBody);
    }, PAGE);
    const gone = await pagesOf(
      (after) =>
        policyTable(tx)
          .selectFrom('policy')
          .select('name')
          .where('tenant_id', '=', tenantId)
          .where('from_version', '<=', version)
          .where('to_version', '>', version)
          .where('name', '>', after)
          .orderBy('name')
          .limit(NAMES)
          .execute(),
      NAMES,
    );
    return { version: at, come, gone: gone.map(({ name }) => name) };
  },

  async standing(tx, tenantId, version, names) {
    const found: StoredBody[] = [];
    for (const chunk of chunks(names)) found.push(...(await bodiesAt(tx, tenantId, version).where(among(chunk)).execute()).map(toBody));
    return found;
  },
};
