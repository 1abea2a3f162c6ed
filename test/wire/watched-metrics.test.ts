// The metrics that operators are told to watch: there from the start, and moved by what they count.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { hubOfFile } from '../config/app.ts';

const own = hubOfFile();

const login = async (): Promise<string> => {
  const { tenant_id: tenantId, username, password } = own.hub.bootstrap;
  const { tokens } = await own.hub.ask('AuthenticationService/Login', { tenantId, username, password }, '');
  return (tokens as { accessToken: string }).accessToken;
};

describe('metrics', () => {
  it('that docs/operating.md names are there, before anything has happened', async () => {
    const guide = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
    // Roles of the database; and what is counted by tenant, once a minute.
    const others = ['securityhub_app', 'securityhub_jobs', 'securityhub_active_sessions'];
    const named = [...new Set(guide.match(/\b(?:securityhub|grpc_server)_[a-z_]+/g))].filter((name) => !others.includes(name));
    const text = await own.hub.scrape();
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !text.includes(`# TYPE ${name} `))).toEqual([]);
  });

  it('tell how long sealing and opening take, also of what did not open', async () => {
    const count = (operation: string) => own.hub.metric(`securityhub_crypto_seconds_count{operation="${operation}"`);
    const before = [await count('encrypt'), await count('decrypt'), await count('decrypt_failed')];
    const { ciphertext } = await own.hub.ask('SecurityHub/Encrypt', { plaintext: 'aGVsbG8=' });
    await own.hub.ask('SecurityHub/Decrypt', { ciphertext: ciphertext ?? '' });
    await own.hub.outcome('SecurityHub/Decrypt', { ciphertext: ciphertext ?? '', associatedData: 'AA==' });
    expect([await count('encrypt'), await count('decrypt'), await count('decrypt_failed')]).toEqual(before.map((seen) => seen + 1));
    expect(await own.hub.metric('securityhub_crypto_seconds_sum{operation="encrypt"')).toBeLessThan(1);
  });

  it('tell how old the news are, and which verdicts came from memory', async () => {
    const age = await own.hub.metric('securityhub_feed_age_seconds');
    expect(age).toBeGreaterThan(0);
    expect(age).toBeLessThan(10);
    const count = (result: string) => own.hub.metric(`securityhub_cache_requests_total{cache="verified_token",result="${result}"`);
    const token = await login();
    const [hits, misses] = [await count('hit'), await count('miss')];
    for (const _ of [1, 2, 3]) await own.hub.ask('SecurityHub/ValidateToken', { token }, own.hub.bootstrap.api_key);
    expect([await count('hit'), await count('miss')]).toEqual([hits + 2, misses + 1]);
  });
});
