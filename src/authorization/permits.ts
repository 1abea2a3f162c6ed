// A permission as such, judged as a check judges it that names no resource: conditions, hours, places and a second factor count.
import { INTERNAL } from './classification.ts';
import { decide, type LimitedRights, type Limits } from './limits.ts';
import { parsePermission } from './permission.ts';
import type { Rights } from './rights.ts';
import type { Ruling } from './ruling.ts';
import type { Situation } from './situation.ts';

const NO_LIMITS: Limits = { also: [], cap: null, scopes: [] };

/** Then what holds as such is what a check says. */
const isSimple = ({ plain, index, snapshot }: Rights): boolean =>
  plain && index.lent === null && !snapshot.classified && index.clearance >= INTERNAL;

interface Behind {
  readonly rights: Rights;
  readonly limits: Limits;
}

/** Of rights as they are, and of limited ones; null for whoever is unknown and holds nothing. */
const behind = (held: object): Behind | null => {
  const limited = (held as Partial<LimitedRights>).behind;
  if (limited !== undefined) return limited;
  return 'index' in held ? { rights: held as Rights, limits: NO_LIMITS } : null;
};

/** null: `holds` says it all. So it does of patterns and of types that nobody declared: a check cannot ask for them. */
export const permits = (held: object, permission: string, situation: () => Situation): Ruling | null => {
  const found = behind(held);
  if (found === null || isSimple(found.rights)) return null;
  const { rights, limits } = found;
  const wanted = parsePermission(permission);
  if (wanted === null || wanted.action === '*' || rights.snapshot.type(wanted.type) === undefined) return null;
  const question = { ...wanted, resourceId: '', resourceTenantId: '', ownerId: '', classification: '', parents: [], believed: false };
  return decide(rights, limits, question, situation());
};
