-- Ends of more sessions than one transaction can write to their rows: the first of them are written with it, what stands here ends the rest
-- from the same moment on, and a job writes those batch by batch.
CREATE TABLE session_ends (
  tenant_id text NOT NULL,
  -- Whose sessions: of a user, or of a client.
  kind text NOT NULL CHECK (kind IN ('user', 'client')),
  key text NOT NULL,
  -- Families whose login saw a smaller head are over.
  seq bigint NOT NULL,
  reason text NOT NULL,
  ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, kind, key)
);
SELECT securityhub_wall('session_ends');

-- A client that has got few of a tenant's million sessions is ended without reading them all.
CREATE INDEX token_families_of_client ON token_families (tenant_id, client_id) WHERE revoked_at IS NULL;
