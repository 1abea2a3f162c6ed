-- Limits on the use of tokens, as set on a tenant, a role or a user; NULL = none. And what is known of where users log in from.

ALTER TABLE tenants ADD COLUMN constraints jsonb, ADD COLUMN policy jsonb;
ALTER TABLE users ADD COLUMN constraints jsonb;
ALTER TABLE role ADD COLUMN constraints jsonb;

-- Devices, programs (of whoever named no device) and networks of earlier logins, as keyed hashes.
CREATE TABLE login_places (
  tenant_id text NOT NULL,
  user_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('device', 'agent', 'network')),
  place bytea NOT NULL CHECK (length(place) = 16),
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, user_id, kind, place),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users
);
CREATE INDEX login_places_age ON login_places (seen_at);
SELECT securityhub_wall('login_places');
