-- Keys of the encryption capability: master key (only its check value) → tenant key → versions of data keys, all sealed.

-- Tells whether the master key is the one this database was made with.
CREATE TABLE master_key_check (
  slot        text        PRIMARY KEY,
  check_value bytea       NOT NULL,
  made_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
SELECT securityhub_platform('master_key_check');

-- One a tenant, sealed under the master key; never changed, or everything below it would be lost.
CREATE TABLE tenant_key (
  tenant_id  text        NOT NULL PRIMARY KEY,
  sealed     bytea       NOT NULL,
  created_at timestamptz NOT NULL
);
SELECT securityhub_wall('tenant_key');
REVOKE UPDATE, DELETE ON tenant_key FROM securityhub_app, securityhub_jobs;

CREATE TABLE encryption_key (
  tenant_id        text        NOT NULL,
  id               text        NOT NULL CHECK (id ~ '^ek_[0-9A-Za-z]{1,61}$'),
  name             text        NOT NULL COLLATE "C" CHECK (length(name) BETWEEN 1 AND 160),
  purpose          text        NOT NULL,
  algorithm        text        NOT NULL CHECK (algorithm IN ('XAES-256-GCM', 'AES-256-GCM', 'FERNET')),
  status           text        NOT NULL CHECK (status IN ('enabled', 'disabled', 'destroyed')),
  primary_version  bigint      NOT NULL CHECK (primary_version BETWEEN 1 AND 4294967295),
  -- Milliseconds; NULL = rotated by hand only.
  rotation_period  bigint      CHECK (rotation_period > 0),
  next_rotation_at timestamptz,
  created_at       timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);
CREATE INDEX encryption_key_due ON encryption_key (next_rotation_at) WHERE status = 'enabled' AND next_rotation_at IS NOT NULL;
SELECT securityhub_wall('encryption_key');
REVOKE DELETE ON encryption_key FROM securityhub_app, securityhub_jobs;

CREATE TABLE encryption_key_version (
  tenant_id  text        NOT NULL,
  key_id     text        NOT NULL,
  version    bigint      NOT NULL,
  sealed     bytea       NOT NULL,
  -- Uses handed out to replicas for AES-256-GCM with random 96-bit nonces, whose number is limited (NIST SP 800-38D §8.3).
  gcm_uses   bigint      NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key_id, version),
  FOREIGN KEY (tenant_id, key_id) REFERENCES encryption_key (tenant_id, id)
);
SELECT securityhub_wall('encryption_key_version');
REVOKE UPDATE, DELETE ON encryption_key_version FROM securityhub_app, securityhub_jobs;
GRANT UPDATE (gcm_uses) ON encryption_key_version TO securityhub_app;
