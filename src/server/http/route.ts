// What the HTTP side port serves: a route is a path, what it answers to, and whether it may be spoken in the clear beyond loopback.
import type { MaybePromise, Peer } from '../../base/call.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export interface HttpRequest {
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  readonly body: Buffer;
  readonly peer: Peer;
  readonly requestId: string;
  /** First value of a header (lower-case name), '' where there is none. */
  header(name: string): string;
  onCancel(listener: () => void): void;
}

export interface HttpRoute {
  readonly method: 'GET' | 'POST';
  /** The whole path; one that ends in `/` covers everything below it. */
  readonly path: string;
  /**
   * `public`: holds no secret and needs none, so it is served in the clear anywhere and on the probe port if it is a probe.
   * `guarded`: needs TLS or loopback, and a known Host.
   */
  readonly exposure: 'probe' | 'public' | 'guarded';
  /** Media types that a POST may have. */
  readonly accepts?: readonly string[];
  readonly handle: (request: HttpRequest) => MaybePromise<Reply>;
}

/** Ends its line, so that a terminal shows its prompt on the next one. */
export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  body: `${typeof value === 'string' ? value : JSON.stringify(value)}\n`,
});
