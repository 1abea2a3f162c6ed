-- Sessions, refresh-token families and signing keys.

CREATE TABLE sessions (
  tenant_id text NOT NULL,
  session_id text NOT NULL,
  user_id text NOT NULL,
  client_id text NOT NULL,
  auth_method text NOT NULL,
  mfa_verified boolean NOT NULL,
  device jsonb NOT NULL,
  ip_address text NOT NULL,
  user_agent text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  ended_reason text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, session_id)
);
CREATE INDEX sessions_of_user ON sessions (tenant_id, user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_spent ON sessions (expires_at);
SELECT securityhub_wall('sessions');

-- One row a family, however often it rotates. No secret stands here: hashes under a key, and a salt.
-- Room in every page, and no index on what rotates: a rotation is then a heap-only update.
CREATE TABLE token_families (
  tenant_id text NOT NULL,
  family_id text NOT NULL,
  session_id text NOT NULL,
  user_id text NOT NULL,
  client_id text NOT NULL,
  device_id text NOT NULL,
  fingerprint text NOT NULL,
  -- What stands in the tokens of the family and never changes.
  context jsonb NOT NULL,
  birth_rsq bigint NOT NULL,
  generation bigint NOT NULL CHECK (generation BETWEEN 1 AND 4294967295),
  current_hash bytea NOT NULL CHECK (length(current_hash) = 32),
  previous_hash bytea CHECK (length(previous_hash) = 32),
  successor_salt bytea,
  sender text NOT NULL,
  -- The access token of this generation: whoever presents the same refresh token gets the same.
  access_issued_at timestamptz NOT NULL,
  access_expires_at timestamptz NOT NULL,
  access_rsq bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  rotated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  idle_expires_at timestamptz NOT NULL,
  absolute_expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_reason text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, family_id)
) WITH (fillfactor = 70);
CREATE INDEX token_families_of_session ON token_families (tenant_id, session_id);
CREATE INDEX token_families_of_user ON token_families (tenant_id, user_id) WHERE revoked_at IS NULL;
CREATE INDEX token_families_spent ON token_families (absolute_expires_at);
SELECT securityhub_wall('token_families');

CREATE TABLE signing_keys (
  kid text PRIMARY KEY,
  purpose text NOT NULL DEFAULT 'access',
  algorithm text NOT NULL CHECK (algorithm IN ('ES256', 'EdDSA', 'PS256', 'RS256')),
  state text NOT NULL CHECK (state IN ('pending', 'published', 'active', 'retiring', 'retired')),
  public_jwk jsonb NOT NULL,
  private_sealed bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- One key signs. Two replicas that start together agree here on whose key it is.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (purpose) WHERE state = 'active';
SELECT securityhub_platform('signing_keys');
