-- The certificate authority of the installation, what it has issued, and the tokens with which a service gets its first certificate.

-- One row a generation of root and intermediate. Private keys are sealed by the master key.
CREATE TABLE authorities (
  kind text NOT NULL CHECK (kind IN ('root', 'intermediate')),
  -- Replicas that make the same generation together agree here on whose it is.
  generation bigint NOT NULL CHECK (generation > 0),
  -- The trust domain whose names it signs: another domain is another authority.
  trust_domain text NOT NULL,
  authority_id text NOT NULL CONSTRAINT authorities_one_key UNIQUE,
  certificate bytea NOT NULL,
  private_sealed bytea NOT NULL,
  not_before timestamptz NOT NULL,
  not_after timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (trust_domain, kind, generation)
);
SELECT securityhub_platform('authorities');

CREATE TABLE certificates (
  tenant_id text NOT NULL,
  serial_number text NOT NULL CHECK (serial_number ~ '^[0-9a-f]{1,40}$'),
  namespace text NOT NULL,
  service text NOT NULL,
  spiffe_id text NOT NULL,
  dns_names text[] NOT NULL,
  ip_addresses text[] NOT NULL,
  not_before timestamptz NOT NULL,
  not_after timestamptz NOT NULL,
  renew_at timestamptz NOT NULL,
  sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  -- Of the SubjectPublicKeyInfo: which certificates share a key.
  spki_sha256 bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
  authority_id text NOT NULL,
  -- Kept only where an idempotency key may ask for it again.
  certificate bytea,
  issued_by text NOT NULL,
  issued_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revocation_reason text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, serial_number)
);
CREATE INDEX certificates_newest ON certificates (tenant_id, issued_at DESC, serial_number);
CREATE INDEX certificates_of_key ON certificates (tenant_id, spki_sha256);
CREATE INDEX certificates_spent ON certificates (not_after);
SELECT securityhub_wall('certificates');

CREATE TABLE join_tokens (
  tenant_id text NOT NULL,
  token_id text NOT NULL,
  -- Keyed hash: whoever reads the table can use nothing.
  secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
  namespace text NOT NULL,
  service text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  used_for text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, token_id)
);
CREATE INDEX join_tokens_spent ON join_tokens (expires_at);
SELECT securityhub_wall('join_tokens');
