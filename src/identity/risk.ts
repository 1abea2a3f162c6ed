// How risky a login looks: a few signs with fixed weights, so that everybody can say why. Pure.
import type { RiskLevel } from './policy.ts';

/** What is known of where a login comes from, compared with the account's earlier ones. */
export interface Signs {
  /** Not for an account's first login: there is nothing to compare it with. */
  readonly newDevice: boolean;
  /** It named no device, and no device-less login came by this program before. */
  readonly newAgent: boolean;
  readonly newNetwork: boolean;
  /** Failed logins of the account lately, from anywhere. */
  readonly failures: number;
}

export interface Risk {
  /** From 0 to 1. */
  readonly score: number;
  readonly level: RiskLevel;
  /** Words of the threat vocabulary. */
  readonly indicators: readonly string[];
}

/** A new device alone is a high risk; a new network is not, for people travel; failures weigh by how many they are. */
const NEW_DEVICE = 60;
const NEW_AGENT = 30;
const NEW_NETWORK = 25;
const SOME_FAILURES = { from: 3, weight: 20 };
const MANY_FAILURES = { from: 10, weight: 35 };

const levelOf = (percent: number): RiskLevel => (percent >= 85 ? 'critical' : percent >= 60 ? 'high' : percent >= 30 ? 'medium' : 'low');

export const riskOf = ({ newDevice, newAgent, newNetwork, failures }: Signs): Risk => {
  const indicators: string[] = [];
  let percent = 0;
  const found = (indicator: string, weight: number): void => {
    indicators.push(indicator);
    percent += weight;
  };
  if (newDevice) found('new_device', NEW_DEVICE);
  if (newAgent) found('new_agent', NEW_AGENT);
  if (newNetwork) found('new_network', NEW_NETWORK);
  if (failures >= MANY_FAILURES.from) found('many_failures', MANY_FAILURES.weight);
  else if (failures >= SOME_FAILURES.from) found('recent_failures', SOME_FAILURES.weight);
  const score = Math.min(percent, 100);
  return { score: score / 100, level: levelOf(score), indicators };
};
