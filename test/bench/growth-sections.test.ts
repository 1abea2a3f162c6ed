import { describe, expect, it } from '@jest/globals';
import { withSection } from './growth-sections.ts';

const PAGE = '# Growth\n\nold\n\n## Families\n\n1\n\n## Others\n\n2\n';

describe('a part of a page', () => {
  it.each([
    ['takes the place of the one before', '# Growth\n\nnew\n', '# Growth\n\nnew\n\n## Families\n\n1\n\n## Others\n\n2\n'],
    ['leaves those beside it alone', '## Families\n\n### of\n\n3\n', '# Growth\n\nold\n\n## Families\n\n### of\n\n3\n\n## Others\n\n2\n'],
    ['comes last where it is new', '## More\n\n3', `${PAGE}\n## More\n\n3\n`],
  ])('%s', (_, part, wanted) => {
    expect(withSection(PAGE, part)).toBe(wanted);
  });
});
