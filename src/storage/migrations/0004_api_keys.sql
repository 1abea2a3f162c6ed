-- API keys: keyed hashes of secrets that were shown once.

CREATE TABLE api_keys (
  tenant_id text NOT NULL,
  key_id text NOT NULL,
  name text NOT NULL,
  description text NOT NULL,
  prefix text NOT NULL,
  secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
  owner_id text NOT NULL,
  permissions text[] NOT NULL,
  scopes text[] NOT NULL,
  metadata jsonb NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- NULL = never.
  expires_at timestamptz,
  last_used_at timestamptz,
  -- Expired is what the clock says; only a revocation is stored.
  revoked_at timestamptz,
  revoked_reason text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, key_id)
);
CREATE INDEX api_keys_owner ON api_keys (tenant_id, owner_id);
SELECT securityhub_wall('api_keys');
