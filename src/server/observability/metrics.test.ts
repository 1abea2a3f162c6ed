import { describe, expect, it } from '@jest/globals';
import { createMetrics } from './metrics.ts';

const lines = async (metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(name));

describe('metrics', () => {
  it('print a counter that is never incremented as zero, and sums over scrapes', async () => {
    const metrics = createMetrics('hub');
    const logins = metrics.counter('securityhub_logins_total', 'logins', { result: 'success' });
    metrics.counter('securityhub_logins_total', 'logins', { result: 'failure' });
    logins.inc();
    await metrics.text();
    logins.inc(2);
    expect(await lines(metrics, 'securityhub_logins_total')).toEqual([
      'securityhub_logins_total{result="success",service="hub"} 3',
      'securityhub_logins_total{result="failure",service="hub"} 0',
    ]);
  });

  it('count an observation into every bucket that holds it', async () => {
    const metrics = createMetrics('hub');
    const taken = metrics.histogram('grpc_server_handling_seconds', 'time', { grpc_method: 'Check' });
    taken.observe(0.0003);
    taken.observe(0.001);
    taken.observe(99);
    const printed = await lines(metrics, 'grpc_server_handling_seconds');
    expect(printed).toContain('grpc_server_handling_seconds_bucket{grpc_method="Check",le="0.00025",service="hub"} 0');
    expect(printed).toContain('grpc_server_handling_seconds_bucket{grpc_method="Check",le="0.0005",service="hub"} 1');
    expect(printed).toContain('grpc_server_handling_seconds_bucket{grpc_method="Check",le="0.001",service="hub"} 2');
    expect(printed).toContain('grpc_server_handling_seconds_bucket{grpc_method="Check",le="+Inf",service="hub"} 3');
    expect(printed).toContain('grpc_server_handling_seconds_count{grpc_method="Check",service="hub"} 3');
  });

  it('read a gauge when somebody scrapes', async () => {
    const metrics = createMetrics('hub');
    let age = 1;
    metrics.gauge('securityhub_feed_age_seconds', 'age', {}, () => age);
    age = 7;
    expect(await lines(metrics, 'securityhub_feed_age_seconds')).toEqual(['securityhub_feed_age_seconds{service="hub"} 7']);
  });

  it('hold the process: memory and event-loop lag', async () => {
    const text = await createMetrics('hub').text();
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
  });
});
