// The look-ups behind decisions on somebody's rights: what roles, grants, denies and loans say, found by permission and by resource.
import type { Level } from './classification.ts';
import { compileRule, type Weighed } from './conditional.ts';
import { permissionSet, type PatternSet, patternSet } from './pattern-set.ts';
import { parsePermission, type Permission } from './permission.ts';
import type { Rights, Sources } from './rights.ts';
import { allowedBy, deniedBy, type Ruling } from './ruling.ts';
import type { Snapshot } from './snapshot.ts';
import type { Delegation, Grant } from './subject.ts';
import type { RoleUnion } from './union.ts';

export interface ConditionalGrant extends Weighed {
  readonly grant: Grant;
  readonly permission: Permission;
}

export interface Lent {
  readonly delegation: Delegation;
  readonly patterns: PatternSet<true>;
  readonly allowed: Ruling;
  /** The grantor's rights now. */
  readonly grantor: Rights;
}

export interface RightsIndex {
  readonly roles: RoleUnion;
  readonly allows: PatternSet<Ruling> | null;
  readonly denies: PatternSet<Ruling> | null;
  /** By resource id; null where no grant names a resource. */
  readonly allowsOn: ReadonlyMap<string, PatternSet<Ruling>> | null;
  readonly deniesOn: ReadonlyMap<string, PatternSet<Ruling>> | null;
  /** Under conditions; null where there are none. */
  readonly allowsIf: readonly ConditionalGrant[] | null;
  readonly deniesIf: readonly ConditionalGrant[] | null;
  readonly lent: readonly Lent[] | null;
  /** How secret a thing may be for the subject without further ado. */
  readonly clearance: Level;
  /** Stands above what roles say: gated roles give nothing more. */
  readonly cleared: boolean;
}

const rulingsOf = (grants: readonly Grant[]): PatternSet<Ruling> =>
  patternSet(
    grants.flatMap((grant) => {
      const permission = parsePermission(grant.permission);
      const value = grant.effect === 'allow' ? allowedBy(`grant:${grant.id}`) : deniedBy(`deny:${grant.id}`);
      return permission === null ? [] : [{ permission, value }];
    }),
  );

const everywhere = (grants: readonly Grant[], effect: Grant['effect']): PatternSet<Ruling> | null => {
  const fitting = grants.filter((grant) => grant.effect === effect && grant.resourceId === '');
  return fitting.length === 0 ? null : rulingsOf(fitting);
};

const byResource = (grants: readonly Grant[], effect: Grant['effect']): ReadonlyMap<string, PatternSet<Ruling>> | null => {
  const fitting = Map.groupBy(
    grants.filter((grant) => grant.effect === effect && grant.resourceId !== ''),
    (grant) => grant.resourceId,
  );
  return fitting.size === 0 ? null : new Map([...fitting].map(([id, list]) => [id, rulingsOf(list)]));
};

const conditional = (grants: readonly Grant[], effect: Grant['effect'], snapshot: Snapshot): readonly ConditionalGrant[] | null => {
  const compiled = grants.flatMap((grant): ConditionalGrant[] => {
    const permission = parsePermission(grant.permission);
    if (permission === null || grant.effect !== effect) return [];
    const rule = `${effect === 'allow' ? 'grant' : 'deny'}:${grant.id}`;
    return [{ ...compileRule(rule, effect, grant.condition, grant.tree, snapshot.schema(permission.type)), grant, permission }];
  });
  return compiled.length === 0 ? null : compiled;
};

const lentOf = ({ delegation, grantor }: Sources['lent'][number]): Lent => ({
  delegation,
  grantor,
  allowed: allowedBy(`delegation:${delegation.id}`),
  patterns: permissionSet(delegation.permissions),
});

/** What is in force at one moment. `cleared`: set for the subject itself; null = its roles say. */
export interface InForce {
  readonly roles: RoleUnion;
  readonly grants: readonly Grant[];
  readonly lent: Sources['lent'];
  readonly cleared: Level | null;
}

export const indexRights = (snapshot: Snapshot, { roles, grants, lent, cleared }: InForce): RightsIndex => {
  const plainly = grants.filter(({ condition }) => condition === '');
  const asked = grants.filter(({ condition }) => condition !== '');
  return {
    roles,
    allows: everywhere(plainly, 'allow'),
    denies: everywhere(plainly, 'deny'),
    allowsOn: byResource(plainly, 'allow'),
    deniesOn: byResource(plainly, 'deny'),
    allowsIf: conditional(asked, 'allow', snapshot),
    deniesIf: conditional(asked, 'deny', snapshot),
    lent: lent.length === 0 ? null : lent.map(lentOf),
    clearance: cleared ?? roles.clearance,
    cleared: cleared !== null,
  };
};
