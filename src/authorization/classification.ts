// How secret a resource is, and how secret it may be for a subject: one line, from public to top_secret.

export const CLASSIFICATIONS: readonly string[] = ['public', 'internal', 'confidential', 'restricted', 'top_secret'];

/** Place on the line, 0 = public. */
export type Level = number;

/** Of resources and subjects of which nobody says anything. */
export const INTERNAL: Level = 1;

const levels = new Map(CLASSIFICATIONS.map((name, level) => [name, level]));

/** '' = internal. A word that is none of ours is the most secret of all, for a resource; see `clearanceOf` for subjects. */
export const levelOf = (classification: string): Level =>
  classification === '' ? INTERNAL : (levels.get(classification) ?? CLASSIFICATIONS.length);

/** '' = nothing said; so is a word that is none of ours. */
export const clearanceOf = (clearance: string): Level | null => levels.get(clearance) ?? null;

export const levelName = (level: Level): string => CLASSIFICATIONS[level] ?? 'unknown';
