// What ValidateToken shows of a subject and says of a good credential; made once, shared by all tokens of which the same is said.
import { type LiveSubject, Verdict } from '../../gen/securityhub/v1/token.ts';
import { emptyResponse } from './answer.ts';
import { ownRoom, type Said, say, shareSaid } from './said.ts';
import { type Facts, type Kept, keptOf } from './facts.ts';
import { type Proven, shownClaims } from './proven.ts';
import { type Credential, holdsNow, type LiveRights, riskScore } from '../verdict.ts';

/** What is held, cut to what the scopes cover: a held pattern wider than a scope shows as that scope. */
const cappedPermissions = (credential: Credential, rights: LiveRights): string[] => {
  const held = [...rights.permissions, ...(credential.scopes ?? []).filter((scope) => scope.includes(':'))];
  return [...new Set(held.filter((permission) => holdsNow(credential, rights, permission)))];
};

export const liveSubject = ({ credential, subjectType }: Proven, facts: Facts): LiveSubject => ({
  type: subjectType,
  id: credential.subject,
  tenantId: credential.tenantId,
  roles: [...facts.rights.roles],
  permissions: cappedPermissions(credential, facts.rights),
  status: facts.user?.status ?? 'unknown',
  riskScore: credential.riskScore || riskScore(credential.riskLevel),
  attributes: undefined,
});

const validSaid = (proven: Proven, facts: Facts): Said => {
  const { riskLevel, riskScore: score, riskIndicators } = proven.credential;
  const rest = {
    ...emptyResponse(),
    valid: true,
    verdict: Verdict.VERDICT_VALID,
    tokenType: proven.tokenType,
    risk: { score: score || riskScore(riskLevel), level: riskLevel, indicators: [...(riskIndicators ?? [])] },
  };
  return say(shownClaims(proven), liveSubject(proven, facts), rest, proven.own !== null);
};

const oneOf = (facts: Facts, said: Said, room: number): Kept => {
  const { kept } = facts;
  return kept !== null && kept.said === said && kept.room === room ? kept : (facts.kept = { facts, said, room });
};

/** What is said is kept as long as the same rights are in force: the rights object is replaced whenever anything in it changes. */
export const createKeep = () => {
  const share = shareSaid();
  return (proven: Proven, facts: Facts): Kept => {
    const found = keptOf(proven);
    if (found !== null && found.facts === facts) return found;
    const { own, slot } = proven;
    const kept =
      found !== null && found.facts.rights === facts.rights
        ? oneOf(facts, found.said, found.room)
        : oneOf(facts, share(validSaid(proven, facts)), own === null ? 0 : ownRoom(own));
    slot.made = kept;
    return kept;
  };
};
