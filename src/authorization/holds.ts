// Whether a permission is held on every resource of its type: what access layers and required permissions ask.
import { meets, parsePermission, type Permission } from './permission.ts';
import type { RightsIndex } from './rights-index.ts';
import type { Situation } from './situation.ts';

/** Is there a deny that meets it, whatever its condition says? */
export const isDenied = ({ denies, deniesIf }: RightsIndex, wanted: Permission): boolean =>
  denies?.meeting(wanted) !== undefined ||
  (deniesIf !== null && deniesIf.some(({ grant, permission }) => grant.resourceId === '' && meets(permission, wanted)));

/** What counts only in some situations counts in one that is given and fits; grants under conditions ask for a resource and never count. */
export const holdsPattern = (index: RightsIndex, text: string, situation: Situation | undefined, borrowed: boolean): boolean => {
  const wanted = parsePermission(text);
  if (wanted === null || isDenied(index, wanted)) return false;
  const { type, action } = wanted;
  const { roles, allows, lent } = index;
  if (roles.allows.find(type, action) !== undefined || (allows !== null && allows.find(type, action) !== undefined)) return true;
  if (situation !== undefined && roles.gated !== null)
    for (const { gate, allows: given } of roles.gated)
      if (given.find(type, action) !== undefined && gate.failure(situation) === null) return true;
  return (
    borrowed &&
    lent !== null &&
    lent.some(
      ({ delegation, patterns, grantor }) =>
        delegation.resourceId === '' && patterns.find(type, action) === true && grantor.holds(text, situation),
    )
  );
};
