// The chart speaks of settings that exist, and asks for nothing that a restricted namespace refuses.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');
const chart = join(root, 'helm/security-hub');
const templates = readdirSync(join(chart, 'templates')).map(
  (file) => [file, readFileSync(join(chart, 'templates', file), 'utf8')] as const,
);
const reference = readFileSync(join(root, 'docs/config.md'), 'utf8');

/** Names of environment variables in a template: `name: UPPER_CASE`. */
const environmentNames = (text: string): string[] => [...text.matchAll(/name: ([A-Z][A-Z0-9_]+)\b/g)].map((match) => match[1] ?? '');

describe('the chart', () => {
  it('sets only variables that the configuration reference knows', () => {
    const names = [...new Set(templates.flatMap(([, text]) => environmentNames(text)))];
    // What production does not start without, and what makes it reachable by the names of its services.
    const needed = [
      'POSTGRES_URI_FILE',
      'REDIS_URL_FILE',
      'ENCRYPTION_KEY_PATH',
      'MIGRATION_POSTGRES_URI_FILE',
      'TLS_DNS_NAMES',
      'HTTP_HOSTS',
      'PROBE_PORT',
    ];
    expect(names).toEqual(expect.arrayContaining(needed));
    expect(names.filter((name) => !reference.includes(`\`${name}\``))).toEqual([]);
  });

  it('opens the ports that the image announces', () => {
    const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
    const deployment = templates.find(([file]) => file === 'deployment.yaml')?.[1] ?? '';
    for (const port of /EXPOSE (.*)/.exec(dockerfile)?.[1]?.split(' ') ?? ['none']) expect(deployment).toContain(`containerPort: ${port}`);
  });

  it('asks for every secret that production needs', () => {
    const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as {
      required: string[];
      properties: Record<string, { required?: string[]; properties?: Record<string, { minLength?: number }> }>;
    };
    for (const name of ['postgres', 'redis', 'masterKey']) {
      expect(schema.required).toContain(name);
      expect(schema.properties[name]).toMatchObject({ required: ['existingSecret'], properties: { existingSecret: { minLength: 1 } } });
    }
  });

  it('probes the port that is always in the clear', () => {
    const deployment = templates.find(([file]) => file === 'deployment.yaml')?.[1] ?? '';
    const [, port = 'none'] = /name: PROBE_PORT, value: "(\d+)"/.exec(deployment) ?? [];
    expect(deployment).toContain(`{ name: probe, containerPort: ${port} }`);
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
      expect(deployment).toMatch(new RegExp(`${probe}:\\n +httpGet: \\{ path: /(readyz|livez), port: probe \\}`));
  });

  it('gives the service time to drain before it is killed', () => {
    const deployment = templates.find(([file]) => file === 'deployment.yaml')?.[1] ?? '';
    const delay = Number(/name: DRAIN_DELAY_SECONDS, value: "(\d+)"/.exec(deployment)?.[1]);
    const drain = Number(/`DRAIN_SECONDS` \| [^|]+\| `(\d+)`/.exec(reference)?.[1]);
    const { terminationGracePeriodSeconds } = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Record<string, number>;
    expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(delay + drain + 10);
  });

  it('tells what to do next in the words of the command line', () => {
    const notes = templates.find(([file]) => file === 'NOTES.txt')?.[1] ?? '';
    const commands = [...notes.matchAll(/node \/app\/dist\/main\.js (\w+)/g)].map((match) => match[1]);
    expect(commands).toEqual(['init', 'doctor']);
  });

  it('mounts secrets as files, and puts none into the environment', () => {
    expect(templates.filter(([, text]) => text.includes('secretKeyRef'))).toEqual([]);
    const files = templates.flatMap(([, text]) => [...text.matchAll(/value: \/etc\/security-hub\/([a-z-]+)\/([a-z-]+) \}/g)]);
    expect(files.length).toBeGreaterThanOrEqual(5);
    for (const [, folder, file] of files) expect(file).toBe(folder);
  });

  it('lets nothing that selects the pods of the service find those of the migration', () => {
    const job = templates.find(([file]) => file === 'migration-job.yaml')?.[1] ?? '';
    expect(job.slice(job.indexOf('  template:'))).not.toMatch(/include "security-hub\.(labels|selector)"/);
  });

  it('does not kill a replica that answers late because it sheds load', () => {
    const deployment = templates.find(([file]) => file === 'deployment.yaml')?.[1] ?? '';
    expect(Number(/livenessProbe:[\s\S]*?timeoutSeconds: (\d+)/.exec(deployment)?.[1])).toBeGreaterThanOrEqual(5);
  });

  it('refuses names in env that it sets itself', () => {
    const deployment = templates.find(([file]) => file === 'deployment.yaml')?.[1] ?? '';
    const helpers = templates.find(([file]) => file === '_helpers.tpl')?.[1] ?? '';
    const refused = [...helpers.matchAll(/"([A-Z][A-Z0-9_]+)"/g)].map((match) => match[1] ?? '');
    const own = environmentNames(deployment).map((name) => name.replace(/_FILE$/, ''));
    // A drain that takes longer to begin is theirs to choose.
    expect(own.filter((name) => !refused.includes(name))).toEqual(['DRAIN_DELAY_SECONDS']);
  });

  it('never makes a secret', () => {
    expect(templates.filter(([, text]) => /^kind: Secret$/m.test(text))).toEqual([]);
  });

  it('describes every value by the schema, and no others', () => {
    const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Record<string, unknown>;
    const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as {
      properties: Record<string, { properties?: Record<string, unknown> }>;
    };
    for (const [name, value] of Object.entries(values)) {
      expect(Object.keys(schema.properties)).toContain(name);
      const inner = schema.properties[name]?.properties;
      if (inner !== undefined) expect(Object.keys(inner)).toEqual(expect.arrayContaining(Object.keys(value as object)));
    }
    expect(Object.keys(schema.properties).filter((name) => !(name in values))).toEqual(['global']);
  });

  it('runs as nobody, with a read-only root and no privileges', () => {
    for (const [file, text] of templates.filter(([, text]) => text.includes('containers:'))) {
      expect([file, text.includes('security-hub.containerSecurity')]).toEqual([file, true]);
      expect([file, text.includes('enableServiceLinks: false')]).toEqual([file, true]);
      expect([file, text.includes('automountServiceAccountToken: false')]).toEqual([file, true]);
    }
  });
});
