// One row: the hub and the echo in turn, under the same load; what counts is the server's CPU for a good answer.
import type { SecureClientSessionOptions } from 'node:http2';
import { type Measured, openDriver } from './driver.ts';
import { cpuSeconds, startEcho } from './processes.ts';

export interface Row {
  readonly name: string;
  readonly path: string;
  readonly requests: readonly Buffer[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: SecureClientSessionOptions;
  readonly echoTls?: readonly string[];
  readonly connections?: number;
  readonly streams?: number;
  /** Least ratio to the echo; undefined where the row's budget is a rate. */
  readonly ratio?: number;
  /** Least answers (times `per`) a second of the server's CPU. */
  readonly rate?: number;
  /** What one answer counts for: checks in a batch. */
  readonly per?: number;
  readonly seconds?: number;
}

export interface Result {
  readonly row: Row;
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly p50: number;
  readonly p99: number;
  readonly ratio: number | null;
  readonly perCpuSecond: number;
  readonly failed: number;
  readonly met: boolean | null;
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

export interface Turn extends Measured {
  readonly cpu: number;
}

/** A row's load on one server. */
export const openTurns = async (row: Row, pid: number, url: string, path: string) => {
  const driver = await openDriver({
    url,
    path,
    requests: row.requests,
    connections: row.connections ?? 5,
    streams: row.streams ?? 16,
    ...(row.headers === undefined ? {} : { headers: row.headers }),
    ...(row.tls === undefined ? {} : { tls: row.tls }),
  });
  return {
    /** The load for a while, with what it cost the process. */
    turn: async (milliseconds: number): Promise<Turn> => {
      const before = cpuSeconds(pid);
      const measured = await driver.drive(milliseconds);
      return { ...measured, cpu: (cpuSeconds(pid) - before) / Math.max(1, measured.ok) };
    },
    close: driver.close,
  };
};

const ROUNDS = 5;
const WARM = 1500;

const openEcho = async (row: Row, scheme: string, answerBytes: number) => {
  const echo = await startEcho(answerBytes, row.echoTls);
  const turns = await openTurns(row, echo.pid, `${scheme}://127.0.0.1:${echo.port}`, '/bench.Echo/Call');
  await turns.turn(WARM);
  return {
    turn: turns.turn,
    stop: () => {
      turns.close();
      echo.stop();
    },
  };
};

export const measure = async (row: Row, hub: { readonly pid: number; readonly grpc: string }): Promise<Result> => {
  const scheme = row.tls === undefined ? 'http' : 'https';
  const own = await openTurns(row, hub.pid, `${scheme}://${hub.grpc}`, row.path);
  let warm = await own.turn(WARM);
  if (warm.ok === 0) throw new Error(`${row.name}: no good answer, grpc-status ${JSON.stringify(warm.failed)}`);
  // Warm: every request has been asked at least once.
  for (let asked = warm.ok; asked < row.requests.length; asked += warm.ok) warm = await own.turn(WARM);
  const echo = row.ratio === undefined ? null : await openEcho(row, scheme, warm.answer.length);
  const milliseconds = (row.seconds ?? 1.5) * 1000;
  const ours: Turn[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const turn = await own.turn(milliseconds);
    ours.push(turn);
    if (echo !== null) ratios.push((await echo.turn(milliseconds)).cpu / turn.cpu);
  }
  echo?.stop();
  own.close();
  const cpu = median(ours.map((one) => one.cpu));
  const ratio = echo === null ? null : median(ratios);
  const perCpuSecond = (row.per ?? 1) / cpu;
  const failed = ours.reduce((sum, one) => sum + Object.values(one.failed).reduce((a, b) => a + b, 0), 0);
  const met = row.ratio !== undefined ? (ratio ?? 0) >= row.ratio : row.rate === undefined ? null : perCpuSecond >= row.rate;
  return {
    row,
    perSecond: (row.per ?? 1) * median(ours.map((one) => one.ok / one.seconds)),
    cpuMicros: cpu * 1e6,
    p50: median(ours.map((one) => one.p50)),
    p99: median(ours.map((one) => one.p99)),
    ratio,
    perCpuSecond,
    failed,
    met: met === null ? null : met && failed === 0,
  };
};
