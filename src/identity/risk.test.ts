import { describe, expect, it } from '@jest/globals';
import { bindsAddress, RISK_LEVELS } from './policy.ts';
import { riskOf } from './risk.ts';

describe('the risk of a login', () => {
  it.each([
    [false, false, 0, 0, 'low', []],
    [false, true, 0, 0.25, 'low', ['new_network']],
    [false, false, 3, 0.2, 'low', ['recent_failures']],
    [false, true, 3, 0.45, 'medium', ['new_network', 'recent_failures']],
    [false, false, 10, 0.35, 'medium', ['many_failures']],
    [false, true, 10, 0.6, 'high', ['new_network', 'many_failures']],
    ['agent', false, 0, 0.3, 'medium', ['new_agent']],
    ['agent', true, 0, 0.55, 'medium', ['new_agent', 'new_network']],
    ['agent', true, 3, 0.75, 'high', ['new_agent', 'new_network', 'recent_failures']],
    [true, false, 0, 0.6, 'high', ['new_device']],
    [true, true, 0, 0.85, 'critical', ['new_device', 'new_network']],
    [true, true, 99, 1, 'critical', ['new_device', 'new_network', 'many_failures']],
  ] as const)('from a new device %s, a new network %s, after %i failures is %d', (from, newNetwork, failures, score, level, indicators) => {
    expect(riskOf({ newDevice: from === true, newAgent: from === 'agent', newNetwork, failures })).toEqual({ score, level, indicators });
  });

  it.each([
    ['low', ['low', 'medium', 'high', 'critical']],
    ['high', ['high', 'critical']],
    ['critical', ['critical']],
    ['never', []],
  ] as const)('binds tokens to their address from %s', (from, bound) => {
    expect(RISK_LEVELS.filter((level) => bindsAddress(level, from))).toEqual(bound);
  });
});
