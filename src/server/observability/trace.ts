// W3C Trace Context (https://www.w3.org/TR/trace-context/): what came in, what goes on. Pure.

export interface TraceParent {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** null for anything that is not a trace parent (§3.2.2.3–5: version ff, all-zero ids, a tail in version 00 are invalid). */
export const parseTraceParent = (header: string): TraceParent | null => {
  if (header.length > 256) return null;
  const [, version, traceId = '', spanId = '', flags = '', tail] = FORM.exec(header) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && tail !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
};

export const printTraceParent = (trace: TraceParent): string => `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`;

/** Our own span in the caller's trace, or the first span of a new, unsampled trace. `random` gives 24 bytes. */
export const continueTrace = (header: string, random: Uint8Array): TraceParent => {
  const hex = Buffer.from(random).toString('hex');
  const parent = parseTraceParent(header);
  return { traceId: parent?.traceId ?? hex.slice(0, 32), spanId: hex.slice(32, 48), sampled: parent?.sampled ?? false };
};
