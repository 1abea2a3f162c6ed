import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { EnforceDataAccessResponse } from '../gen/securityhub/v1/authorization.ts';
import { MaskType, RowFilter } from '../gen/securityhub/v1/data_access.ts';
import { maskRow, maskValue, rowFilterSql } from './row-filter.ts';
import { rowFilter } from './row-filter.kysely.ts';

const attribute = (name: string): RowFilter => ({ node: { $case: 'attribute', value: { name, type: 'string', list: false, values: [] } } });
const text = (value: string): RowFilter => ({ node: { $case: 'constant', value: { type: 'string', list: false, value } } });
const call = (operator: string, ...operands: RowFilter[]): RowFilter => ({
  node: { $case: 'call', value: { operator, type: 'bool', operands } },
});
const OWNED = call('and', call('eq', attribute('tenant_id'), text('acme')), call('eq', attribute('owner_id'), text("o'hara")));
/** As it comes over the wire. */
const answer = EnforceDataAccessResponse.decode(
  EnforceDataAccessResponse.encode(EnforceDataAccessResponse.fromPartial({ rowFilter: OWNED })).finish(),
);
const columns = { tenant_id: 't.tenant_id', owner_id: 'owner' };

describe('a row filter', () => {
  it('becomes a condition and its parameters', () => {
    expect(rowFilterSql(answer, columns)).toEqual({
      text: '(("t"."tenant_id" = $1::text) AND ("owner" = $2::text))',
      parameters: ['acme', "o'hara"],
    });
  });

  it('becomes a condition of kysely among others', () => {
    const db = new Kysely<{ t: { id: string; tenant_id: string; owner: string } }>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (one) => new PostgresIntrospector(one),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
    });
    const query = db.selectFrom('t').select('id').where('id', '=', 'x').where(rowFilter(answer, columns)).where('id', '!=', 'y');
    expect(query.compile()).toMatchObject({
      sql: 'select "id" from "t" where "id" = $1 and (("t"."tenant_id" = $2::text) AND ("owner" = $3::text)) and "id" != $4',
      parameters: ['x', 'acme', "o'hara", 'y'],
    });
  });

  it('names the attributes without a column', () => {
    expect(() => rowFilterSql(answer, { tenant_id: 't' })).toThrow(/no column for owner_id/);
  });

  it('lets no row pass where there is none', () => expect(rowFilterSql({ rowFilter: undefined }, {}).text).toBe('FALSE'));

  it.each([
    ['an operator', call('xor', text('a'), text('b'))],
    ['a type', { node: { $case: 'unknown', value: { type: 'geometry' } } }],
    ['a node', RowFilter.fromPartial({})],
  ] as const)('is refused whole where it holds %s of tomorrow', (_, strange) => {
    expect(() => rowFilterSql({ rowFilter: call('or', OWNED, strange as RowFilter) }, columns)).toThrow(/does not know/);
  });
});

describe('a mask', () => {
  const hashKey = Buffer.from('k'.repeat(32));
  const none = Buffer.alloc(0);
  const hash = (value: string): string => createHmac('sha256', hashKey).update(value).digest('hex');
  it.each([
    ['full', MaskType.MASK_TYPE_FULL, none, 'DE89370400440532013000', '********'],
    ['full, whatever it is', MaskType.MASK_TYPE_FULL, none, 7, '********'],
    ['partial', MaskType.MASK_TYPE_PARTIAL, none, 'DE89370400440532013000', '******************3000'],
    ['partial, of a short value', MaskType.MASK_TYPE_PARTIAL, none, 'ab12cd3', '*******'],
    ['partial, of a number', MaskType.MASK_TYPE_PARTIAL, none, 1234567890, '******7890'],
    ['hash', MaskType.MASK_TYPE_HASH, hashKey, 'a@b.c', hash('a@b.c')],
    ['hash, without a key', MaskType.MASK_TYPE_HASH, none, 'a@b.c', '********'],
    ['null', MaskType.MASK_TYPE_NULL, none, 'x', null],
    ['of tomorrow', 99 as MaskType, none, 'x', null],
    ['of no value', MaskType.MASK_TYPE_FULL, none, null, null],
  ] as const)('%s', (_, type, key, value, masked) => expect(maskValue({ type, hashKey: key }, value)).toBe(masked));

  const masks = EnforceDataAccessResponse.fromPartial({
    masks: [
      { field: 'iban', type: MaskType.MASK_TYPE_FULL, rows: OWNED },
      { field: 'iban', type: MaskType.MASK_TYPE_PARTIAL },
      { field: 'gone', type: MaskType.MASK_TYPE_NULL },
    ],
  });

  it('of some rows counts for all of them, and leaves the rest of the row', () => {
    expect(maskRow(masks, { id: 1, iban: 'DE00000001234' })).toEqual({ id: 1, iban: '********' });
  });

  it('gives way to the next one where the caller can tell that it does not apply', () => {
    expect(maskRow(masks, { id: 1, iban: 'DE00000001234' }, () => false)).toEqual({ id: 1, iban: '*********1234' });
  });
});
