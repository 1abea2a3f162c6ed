// What may stand in a log line. An allow-list of names, and a last look at every text for things that look like secrets. Pure.

const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z0-9 ]*-----[\s\S]*?(-----END [A-Z0-9 ]*-----|$)/g, '[pem]'],
  [/\beyJ[A-Za-z0-9_-]{6,}(\.[A-Za-z0-9_-]*){0,4}/g, '[token]'],
  [/\bsh[a-z]{1,2}_[A-Za-z0-9_.~-]{12,}/g, '[secret]'],
  [/\b(bearer|basic|dpop)\s+[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [secret]'],
  [/\/\/[^\s/@:]*:[^\s/@]*@/g, '//[secret]@'],
  [/\b(password|passwd|secret|token|api_?key)(["']?\s*[=:]\s*["']?)[^\s"',;&]+/gi, '$1$2[secret]'],
];

const LONGEST = 2000;

/** The text without anything that looks like a credential, cut at 2,000 characters. */
export const scrubText = (given: string): string => {
  let out = given.length > LONGEST * 4 ? given.slice(0, LONGEST * 4) : given;
  for (const [pattern, mark] of SECRETS) out = out.replace(pattern, mark);
  return out.length > LONGEST ? `${out.slice(0, LONGEST)}…` : out;
};

/** Names that may carry a value. Another name is printed as omitted, so that it is noticed and decided on. */
const ALLOWED: ReadonlySet<string> = new Set(
  `address age attempt bytes caller capability changes code command count duration elapsed epoch event events every expiresAt
   file folder from generation grpc head health host http id ids insecure job keyId kid kind lag lease level limit lost method
   migration missing mode name namespace node notAfter notBefore operation origin owner path peer pid port problem problems
   production purpose reason replica requestId resource result retries retryAfter revision role rows rss seq serial serialNumber
   service signal size spiffeId state status store stream subject table tenantId to tls traceId type until url userId variable
   version warning worker workers event_id key_id migrations tenant_id topic`.split(/\s+/),
);

const ERRORS: ReadonlySet<string> = new Set(['error', 'err', 'cause', 'thrown']);

/** An error's name, code, message and frames: never its other members, which may hold parameters or rows. */
const errorFields = (thrown: unknown, depth = 0): Readonly<Record<string, unknown>> => {
  if (typeof thrown !== 'object' || thrown === null) return { message: scrubText(String(thrown)) };
  const { name, code, reason, message, stack, cause } = thrown as Record<string, unknown>;
  const word = (value: unknown): string | undefined => (typeof value === 'string' ? scrubText(value) : undefined);
  // The first lines of a stack repeat the message; only frames follow.
  const frames = typeof stack === 'string' ? stack.split('\n').filter((line) => /^\s+at /.test(line)) : [];
  return {
    name: word(name),
    code: word(code),
    reason: word(reason),
    message: word(message),
    stack: depth === 0 && frames.length > 0 ? scrubText(frames.slice(0, 12).join('\n')) : undefined,
    cause: cause === undefined || depth >= 3 ? undefined : errorFields(cause, depth + 1),
  };
};

const plain = (value: unknown): unknown => {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) return value;
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value) && value.length <= 50) {
    const items = value.map((item) => (typeof item === 'object' ? '[omitted]' : plain(item)));
    return items;
  }
  return '[omitted]';
};

/** The fields as they may be written: allowed names with plain values, errors by `errorFields`, the rest named but not shown. */
export const scrubFields = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (ERRORS.has(name)) out['error'] = value === undefined ? undefined : errorFields(value);
    else out[name] = ALLOWED.has(name) ? plain(value) : '[omitted]';
  }
  return out;
};
