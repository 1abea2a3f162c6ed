// Prometheus metrics. Counting on the hot path is an addition; prom-client sees the sums when somebody scrapes.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '../platform.ts';

type Labels = Readonly<Record<string, string>>;

export interface MetricsRegistry extends Metrics {
  readonly contentType: string;
  /** Everything in the Prometheus text format. */
  text(): Promise<string>;
  /** Takes everything off again: ends the process metrics' own observers. */
  close(): void;
}

/** Seconds: from a quarter of a millisecond, where a warm verdict lies, to the longest deadline. */
const BUCKETS: readonly number[] = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels));

/** One value a label set, made when it is first asked for. */
const family = <T>(make: (labels: Labels) => T): { readonly of: (labels: Labels) => T; readonly all: () => Iterable<T> } => {
  const members = new Map<string, T>();
  return {
    of(labels) {
      const key = keyOf(labels);
      const found = members.get(key) ?? make(labels);
      members.set(key, found);
      return found;
    },
    all: () => members.values(),
  };
};

interface CounterCell {
  readonly labels: Labels;
  readonly handle: { inc(by?: number): void };
  readonly take: () => number;
}

const counterCell = (labels: Labels): CounterCell => {
  let pending = 0;
  return {
    labels,
    handle: {
      inc: (by = 1) => {
        pending += by;
      },
    },
    take: () => {
      const taken = pending;
      pending = 0;
      return taken;
    },
  };
};

interface HistogramCell {
  readonly labels: Labels;
  readonly counts: Float64Array;
  readonly handle: { observe(seconds: number): void };
  sum: number;
}

const histogramCell = (labels: Labels): HistogramCell => {
  const cell: HistogramCell = {
    labels,
    counts: new Float64Array(BUCKETS.length + 1),
    sum: 0,
    handle: {
      observe(seconds) {
        let at = 0;
        while (at < BUCKETS.length && seconds > (BUCKETS[at] ?? 0)) at += 1;
        cell.counts[at] = (cell.counts[at] ?? 0) + 1;
        cell.sum += seconds;
      },
    },
  };
  return cell;
};

/** The samples of one label set, cumulative as the format wants them. */
const samplesOf = (
  name: string,
  cell: HistogramCell,
): readonly { metricName: string; labels: Record<string, string | number>; value: number }[] => {
  let seen = 0;
  const buckets = [...cell.counts].map((count, at) => {
    seen += count;
    return { metricName: `${name}_bucket`, labels: { ...cell.labels, le: BUCKETS[at] ?? '+Inf' }, value: seen };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { ...cell.labels }, value: cell.sum },
    { metricName: `${name}_count`, labels: { ...cell.labels }, value: seen },
  ];
};

const registerHistogram = (registry: Registry, name: string, help: string, labelNames: string[]): ((labels: Labels) => HistogramCell) => {
  const cells = family(histogramCell);
  const histogram = new Histogram({ name, help, labelNames, buckets: [...BUCKETS], registers: [] });
  // prom-client hashes the labels at every observation; ours are counted in place and only printed by it.
  const get = async (): Promise<object> => ({
    name,
    help,
    type: 'histogram',
    values: [...cells.all()].flatMap((cell) => samplesOf(name, cell)),
  });
  Object.assign(histogram, { get, getForPromString: get });
  registry.registerMetric(histogram);
  return cells.of;
};

const registerCounter = (registry: Registry, name: string, help: string, labelNames: string[]): ((labels: Labels) => CounterCell) => {
  const cells = family(counterCell);
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      for (const cell of cells.all()) this.inc({ ...cell.labels }, cell.take());
    },
  });
  return cells.of;
};

const registerGauge = (
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
): Map<string, { labels: Labels; read: () => number }> => {
  const readers = new Map<string, { labels: Labels; read: () => number }>();
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      for (const { labels, read } of readers.values()) this.set({ ...labels }, read());
    },
  });
  return readers;
};

/** Keeps one registration a name; the first use fixes the label names. */
const once = <T>(
  register: (name: string, help: string, labelNames: string[]) => T,
): ((name: string, help: string, labels: Labels) => T) => {
  const known = new Map<string, T>();
  return (name, help, labels) => {
    const found = known.get(name) ?? register(name, help, Object.keys(labels));
    known.set(name, found);
    return found;
  };
};

/** `service` labels every sample. Process metrics (memory, CPU, event-loop lag, garbage collection) are included. */
export const createMetrics = (service: string): MetricsRegistry => {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  const counters = once((...about) => registerCounter(registry, ...about));
  const histograms = once((...about) => registerHistogram(registry, ...about));
  const gauges = once((...about) => registerGauge(registry, ...about));
  return {
    contentType: registry.contentType,
    counter: (name, help, labels = {}) => counters(name, help, labels)(labels).handle,
    histogram: (name, help, labels = {}) => histograms(name, help, labels)(labels).handle,
    gauge: (name, help, labels, read) => void gauges(name, help, labels).set(keyOf(labels), { labels, read }),
    text: () => registry.metrics(),
    close: () => registry.clear(),
  };
};
