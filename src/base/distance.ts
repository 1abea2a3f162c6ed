// How far one name is from another, to catch slips of the pen.

/** Least number of inserted, dropped, changed or swapped neighbouring characters (optimal string alignment). */
export const distance = (a: string, b: string): number => {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const at = (r: number, c: number): number => rows[r]?.[c] ?? 0;
      let least = Math.min(at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, at(i - 2, j - 2) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
};

// Names that other programs read and that happen to look like ours.
const FOREIGN = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'DATA_DIRS']);

/** The known name that `name` probably was meant to be: one slip in a short name, two in a long one; null when none is near. */
export const nearest = (name: string, known: Iterable<string>): string | null => {
  if (FOREIGN.has(name)) return null;
  let best: string | null = null;
  let least = name.length >= 9 ? 3 : 2;
  for (const candidate of known) {
    // What begins unlike ours belongs to somebody else.
    if (candidate === name || candidate[0] !== name[0] || Math.abs(candidate.length - name.length) >= least) continue;
    const apart = distance(name, candidate);
    if (apart < least) [best, least] = [candidate, apart];
  }
  return best;
};
