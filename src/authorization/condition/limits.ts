// What a condition may cost: refused when it is written, ended when it is evaluated.

export const LIMITS = {
  /** UTF-16 units of source. */
  source: 4096,
  /** Nodes of the tree. */
  nodes: 500,
  depth: 32,
  /** Reported at once. */
  problems: 20,
  /** Folds within folds. */
  nesting: 3,
  /** Estimated steps, lists taken as long as `assumedItems`. */
  cost: 100_000,
  assumedItems: 100,
  /** UTF-16 units of a regular expression. */
  pattern: 256,
  /** Instructions of one. */
  program: 250,
  /** Elements of a list or a map, units of a text, that an evaluation reads or makes. */
  items: 10_000,
  text: 16_384,
  /** Steps of one evaluation, or of all that share a meter. About 20 ns each. */
  steps: 50_000,
} as const;
