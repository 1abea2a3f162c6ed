// What a condition costs at worst, before it is ever evaluated.
import { LIMITS } from './limits.ts';
import { childrenOf, type Expr } from './tree.ts';

export interface Cost {
  /** Estimated steps, lists taken as long as `LIMITS.assumedItems`. */
  readonly steps: number;
  readonly nodes: number;
  readonly depth: number;
  readonly nesting: number;
}

const largest = (numbers: readonly number[]): number => numbers.reduce((a, b) => Math.max(a, b), 0);

/** What one evaluation of a node itself costs, without its children. */
const own = (expr: Expr): number => {
  if (expr.kind === 'in') return expr.container.kind === 'list' ? 2 : 10;
  if (expr.kind === 'call' && expr.overloads.includes('matches')) return 50;
  if (expr.kind === 'call' && expr.overloads.some((id) => id.endsWith('_zone'))) return 50;
  return 1;
};

export const costOf = (expr: Expr): Cost => {
  const parts = childrenOf(expr).map(costOf);
  const nodes = 1 + parts.reduce((sum, part) => sum + part.nodes, 0);
  const depth = 1 + largest(parts.map((part) => part.depth));
  const nested = largest(parts.map((part) => part.nesting));
  if (expr.kind !== 'fold') return { steps: own(expr) + parts.reduce((sum, part) => sum + part.steps, 0), nodes, depth, nesting: nested };
  const items = expr.range.kind === 'list' ? expr.range.items.length : LIMITS.assumedItems;
  const [range, ...body] = parts;
  const steps = 1 + (range?.steps ?? 0) + items * (1 + body.reduce((sum, part) => sum + part.steps, 0));
  return { steps, nodes, depth, nesting: Math.max(range?.nesting ?? 0, 1 + largest(body.map((part) => part.nesting))) };
};

/** The first limit that it breaks, in words; null where it breaks none. */
export const tooCostly = ({ steps, nodes, depth, nesting }: Cost): string | null => {
  if (nodes > LIMITS.nodes) return `too large: ${nodes} parts, at most ${LIMITS.nodes}`;
  if (depth > LIMITS.depth) return `nested ${depth} levels deep, at most ${LIMITS.depth}`;
  if (nesting > LIMITS.nesting) return `loops nested ${nesting} deep, at most ${LIMITS.nesting}`;
  if (steps > LIMITS.cost) return `too costly: about ${steps} steps with lists of ${LIMITS.assumedItems}, at most ${LIMITS.cost}`;
  return null;
};
