// Random rows in a table of their own, for whoever compares what a query finds with what a check of each row says.
import fc from 'fast-check';
import type { FreshDatabase } from '../harness.ts';

/** Fills `table` (column → SQL type, and `n`, the row's place in the list that is answered) with so many of them. */
export const tableOf = async <Row extends Readonly<Record<string, unknown>>>(
  database: FreshDatabase,
  table: string,
  columns: Readonly<Record<string, string>>,
  row: fc.Arbitrary<Row>,
  count: number,
): Promise<readonly Row[]> => {
  const rows = fc.sample(row, count);
  const names = Object.keys(columns);
  await database.sql(`CREATE TABLE ${table} (n integer PRIMARY KEY, ${names.map((name) => `${name} ${columns[name]}`).join(', ')})`);
  const places = names.map((_, at) => `$${at + 2}`).join(', ');
  for (const [n, one] of rows.entries())
    await database.sql(`INSERT INTO ${table} VALUES ($1, ${places})`, [
      n,
      // Bytes travel to checks as base64.
      ...names.map((name) => (columns[name] === 'bytea' && typeof one[name] === 'string' ? Buffer.from(one[name], 'base64') : one[name])),
    ]);
  return rows;
};
