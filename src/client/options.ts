// What a service says when it opens a client, and what it may say with each call.
import type { MaybePromise } from '../base/call.ts';
import type { Millis } from '../base/time.ts';

/** PEM files. They are read again when they change, and the connection is replaced without losing a call. */
export interface TlsFiles {
  /** Authorities that the hub's certificate must come from. Default: those of the machine. */
  readonly ca?: string;
  /** The caller's own certificate and key, for mTLS; both or none. */
  readonly cert?: string;
  readonly key?: string;
  /** Name that the hub's certificate must carry, where it is not the host of the address. */
  readonly serverName?: string;
  /** How often to look for a change. Default 5 s. */
  readonly reloadEvery?: Millis;
}

/**
 * The credential of the caller itself: an access token or API key, or where to get one. A provider is asked before each call, so it should
 * remember; after the hub refused a credential it is asked once more, with that one, and the call is repeated if it has another.
 */
export type CredentialProvider = (refused?: string) => MaybePromise<string>;

/**
 * Verdicts on access tokens inside this process. Whom they may be for and whose revocations are told the hub says: for a workload its entry,
 * which must list WatchRevocations, WatchKeys and GetChangeHead; users and API keys need token:inspect.
 */
export interface LocalMode {
  /** Tenants whose tokens are judged here; the hub judges those of others. Default: all that this caller may ask about. */
  readonly tenants?: readonly string[];
  /** How old the news of revocations may be. Beyond it the hub is asked, and without the hub there is no verdict. Default 5 min. */
  readonly maxStaleness?: Millis;
  /** Verdicts kept in memory, about 2.5 KB each. Default 50,000. */
  readonly cacheSize?: number;
  /** Live revocations kept in memory, about 150 bytes each; beyond it the hub is asked. Default 2,000,000. */
  readonly mirrorSize?: number;
}

export interface ClientOptions {
  /** `host:port`, `dns:///name:port` (every address behind the name is used in turn), `unix:/path`. */
  readonly address: string;
  /**
   * Left out: TLS with the machine's authorities, but plaintext over loopback and Unix sockets. `false`: plaintext, which beyond loopback
   * shows every credential to the network.
   */
  readonly tls?: TlsFiles | false;
  readonly credential?: string | CredentialProvider;
  /** How long a call may take altogether, retries included. Default 5 s. Streams have no end. */
  readonly deadline?: Millis;
  /** Attempts of a call that may safely be repeated, while the hub is UNAVAILABLE; 1 = never again. Default 3. */
  readonly attempts?: number;
  /** Name of the calling program, in the User-Agent. */
  readonly userAgent?: string;
  readonly local?: LocalMode;
  /** Told of what cannot be thrown at anybody: files that cannot be read, streams that broke. */
  readonly onProblem?: (message: string, cause: unknown) => void;
}

export interface CallOptions {
  readonly deadline?: Millis;
  readonly signal?: AbortSignal;
  /** This call's credential instead of the client's own. '' sends none. */
  readonly credential?: string;
  /** Id of the request that this call is made for, kept in the hub's audit log. */
  readonly requestId?: string;
  /** W3C trace context. */
  readonly traceparent?: string;
}

/** How local mode is doing, for metrics. */
export interface LocalState {
  /** null = verdicts are given here; else why not. */
  readonly obstacle: string | null;
  /** Age of the news in milliseconds. */
  readonly age: Millis;
  /** Revocations up to this number are known. */
  readonly revocationSeq: number;
  readonly revocations: number;
  readonly tokens: number;
  /** Verdicts given here, and asked of the hub. */
  readonly judged: number;
  readonly asked: number;
}
