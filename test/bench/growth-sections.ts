// docs/growth.md has several writers: each puts its own part in place of the one before, and leaves those of others alone.

/** A part begins with its heading (`# …` or `## …`) and ends before the next one. */
const parts = (page: string): readonly string[] => page.split(/^(?=#{1,2} )/m).map((part) => part.trimEnd());
const heading = (part: string): string => part.slice(0, part.indexOf('\n'));

export const withSection = (page: string, section: string): string => {
  const own = section.trimEnd();
  const there = parts(page).filter((part) => part !== '');
  const at = there.findIndex((part) => heading(part) === heading(own));
  const all = at === -1 ? [...there, own] : there.with(at, own);
  return `${all.join('\n\n')}\n`;
};
