// SPIFFE IDs: the names of services (SPIFFE-ID §2), and ours among them: spiffe://<trust domain>/ns/<namespace>/sa/<service>.

export interface SpiffeId {
  readonly trustDomain: string;
  /** Begins with '/'; '' for the trust domain itself. */
  readonly path: string;
}

/** Whom a certificate of ours names. */
export interface ServiceName {
  readonly namespace: string;
  readonly service: string;
}

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;
// What WorkloadService registers; a namespace is one label of it (RFC 1123).
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const SERVICE = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

const isTrustDomain = (text: string): boolean => TRUST_DOMAIN.test(text);

/** null for everything that is no SPIFFE ID: other schemes, upper-case domains, ports, queries, empty or dotted segments, escapes. */
export const parseSpiffeId = (text: string): SpiffeId | null => {
  if (text.length > 2048 || !text.startsWith('spiffe://')) return null;
  const rest = text.slice('spiffe://'.length);
  const slash = rest.indexOf('/');
  const trustDomain = slash < 0 ? rest : rest.slice(0, slash);
  if (!isTrustDomain(trustDomain)) return null;
  if (slash < 0) return { trustDomain, path: '' };
  const segments = rest.slice(slash + 1).split('/');
  if (segments.some((segment) => !SEGMENT.test(segment) || segment === '.' || segment === '..')) return null;
  return { trustDomain, path: rest.slice(slash) };
};

export const spiffeIdOf = (trustDomain: string, { namespace, service }: ServiceName): string =>
  `spiffe://${trustDomain}/ns/${namespace}/sa/${service}`;

/** The service that a SPIFFE ID of this trust domain names; null where it is of another domain or shape. */
export const serviceOf = (trustDomain: string, id: string): ServiceName | null => {
  const parsed = parseSpiffeId(id);
  if (parsed === null || parsed.trustDomain !== trustDomain) return null;
  const [empty, ns, namespace = '', sa, service = '', ...more] = parsed.path.split('/');
  if (empty !== '' || ns !== 'ns' || sa !== 'sa' || more.length > 0) return null;
  return NAMESPACE.test(namespace) && SERVICE.test(service) ? { namespace, service } : null;
};
