// Row filters for kysely: `.where(rowFilter(answer, columns))`. The only file that needs kysely, which the package leaves to you.
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { EnforceDataAccessResponse } from '../gen/securityhub/v1/authorization.ts';
import { type Columns, rowFilterSql } from './row-filter.ts';

/** No text of a filter holds it: names are quoted, and values are parameters. */
const MARK = '\u0000';

/** As `rowFilterSql`, with the same faults. Values stay parameters. */
export const rowFilter = (answer: Pick<EnforceDataAccessResponse, 'rowFilter'>, columns: Columns): RawBuilder<SqlBool> => {
  const { text, parameters } = rowFilterSql(answer, columns, { placeholder: () => MARK });
  const texts = text.split(MARK);
  if (texts.length !== parameters.length + 1) throw new Error('a column of a row filter holds U+0000');
  return sql<SqlBool>(texts as unknown as TemplateStringsArray, ...parameters);
};
