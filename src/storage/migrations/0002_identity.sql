-- Who there is: tenants and the namespaces they own, users and the names they log in with, workloads, counted logins,
-- and which object an idempotent call has made.

CREATE TABLE tenants (
  tenant_id text NOT NULL PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  display_name text NOT NULL,
  status text NOT NULL CHECK (status IN ('active', 'suspended')),
  default_key_name text NOT NULL,
  -- A session whose rsq is below this number is over (design: the watermark also stands on the row itself).
  watermark bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
SELECT securityhub_wall('tenants');

-- A namespace belongs to exactly one tenant: the unique index sees over every wall.
CREATE TABLE tenant_namespaces (
  tenant_id text NOT NULL REFERENCES tenants,
  namespace text NOT NULL CONSTRAINT tenant_namespaces_one_owner UNIQUE,
  PRIMARY KEY (tenant_id, namespace)
);
SELECT securityhub_wall('tenant_namespaces');

CREATE TABLE users (
  tenant_id text NOT NULL REFERENCES tenants,
  user_id text NOT NULL,
  username text NOT NULL,
  email text NOT NULL,
  first_name text NOT NULL,
  last_name text NOT NULL,
  status text NOT NULL CHECK (status IN ('active', 'inactive', 'locked', 'suspended', 'pending', 'deleted')),
  metadata jsonb NOT NULL,
  -- argon2id in PHC form; NULL = nobody can log in with a password.
  password_hash text,
  watermark bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_login_at timestamptz,
  PRIMARY KEY (tenant_id, user_id)
);
SELECT securityhub_wall('users');

-- User names and e-mail addresses in one list, so that none of them can ever mean two accounts of a tenant.
CREATE TABLE login_names (
  tenant_id text NOT NULL,
  name_key text NOT NULL,
  user_id text NOT NULL,
  PRIMARY KEY (tenant_id, name_key),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users
);
CREATE INDEX login_names_user ON login_names (tenant_id, user_id);
SELECT securityhub_wall('login_names');

-- No foreign key: attempts on accounts and tenants that do not exist are counted the same way.
CREATE TABLE login_attempts (
  tenant_id text NOT NULL,
  account text NOT NULL,
  -- '' counts the attempts from all addresses together.
  source text NOT NULL,
  failures integer NOT NULL,
  locked_until timestamptz,
  forget_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, account, source)
);
CREATE INDEX login_attempts_forget ON login_attempts (forget_at);
SELECT securityhub_wall('login_attempts');

CREATE TABLE workloads (
  tenant_id text NOT NULL,
  namespace text NOT NULL,
  name text NOT NULL,
  audiences text[] NOT NULL,
  any_audience boolean NOT NULL,
  tenants text[] NOT NULL,
  resource_types text[] NOT NULL,
  calls text[] NOT NULL,
  permissions text[] NOT NULL,
  key_names text[] NOT NULL,
  dns_names text[] NOT NULL,
  certificate_ttl_seconds integer NOT NULL CHECK (certificate_ttl_seconds >= 0),
  asserts text[] NOT NULL,
  owner text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, namespace, name),
  FOREIGN KEY (tenant_id, namespace) REFERENCES tenant_namespaces
);
SELECT securityhub_wall('workloads');

CREATE TABLE idempotency (
  tenant_id text NOT NULL,
  caller text NOT NULL,
  method text NOT NULL,
  key text NOT NULL,
  object_id text NOT NULL,
  -- Keyed: a request may hold personal data.
  request_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, caller, method, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
SELECT securityhub_wall('idempotency');

-- Printed once by `init`; redeemed once to make the first tenant and its owner.
CREATE TABLE setup_tokens (
  token_hash bytea NOT NULL PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  redeemed_at timestamptz
);
SELECT securityhub_platform('setup_tokens');
