-- The two roles, the walls between tenants, the change feed, leases and the outbox.

-- Roles belong to the whole cluster: another database may have made them, or be making them right now.
DO $$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['securityhub_app', 'securityhub_jobs'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
      END;
    END IF;
  END LOOP;
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO securityhub_app, securityhub_jobs', current_schema());
END $$;

-- A tenant's table: the service sees and writes only rows of the tenant set in its transaction; jobs see all.
-- FORCE, because the owner would else walk through.
CREATE FUNCTION securityhub_wall(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
  EXECUTE format(
    'CREATE POLICY tenant_wall ON %I TO securityhub_app USING (tenant_id = current_setting(''securityhub.tenant'', true)) WITH CHECK (tenant_id = current_setting(''securityhub.tenant'', true))',
    name);
  EXECUTE format('CREATE POLICY every_tenant ON %I TO securityhub_jobs USING (true) WITH CHECK (true)', name);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO securityhub_app, securityhub_jobs', name);
END $$;

-- A table of the installation: no tenant, reached by jobs only.
CREATE FUNCTION securityhub_platform(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO securityhub_jobs', name);
END $$;

REVOKE EXECUTE ON FUNCTION securityhub_wall(text), securityhub_platform(text) FROM PUBLIC;

-- The number of the last change. A writer raises it last in its transaction: the row lock lasts to the commit, so numbers are
-- gapless and appear in order. (A SEQUENCE would commit out of order, and a reader would step over a revocation.)
CREATE TABLE change_head (
  one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
  seq bigint NOT NULL DEFAULT 0,
  generation bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 10);
INSERT INTO change_head DEFAULT VALUES;
GRANT SELECT ON change_head TO securityhub_app;
GRANT UPDATE (seq) ON change_head TO securityhub_app;
SELECT securityhub_platform('change_head');

CREATE TABLE change (
  seq bigint PRIMARY KEY,
  kind text NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
  tenant_id text NOT NULL,
  key text NOT NULL CHECK (length(key) <= 256),
  until timestamptz,
  detail text NOT NULL DEFAULT '' CHECK (length(detail) <= 64),
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX change_spent ON change (at);
ALTER TABLE change ENABLE ROW LEVEL SECURITY;
ALTER TABLE change FORCE ROW LEVEL SECURITY;
-- The service may state a change of its tenant or of the installation (''); reading the feed is the jobs' business.
CREATE POLICY tenant_wall ON change FOR INSERT TO securityhub_app
  WITH CHECK (tenant_id IN (current_setting('securityhub.tenant', true), ''));
CREATE POLICY every_tenant ON change TO securityhub_jobs USING (true) WITH CHECK (true);
GRANT INSERT ON change TO securityhub_app;
SELECT securityhub_platform('change');

-- Who follows the feed, and how far each has come.
CREATE TABLE replica (
  id text PRIMARY KEY,
  cursor bigint NOT NULL,
  generation bigint NOT NULL,
  seen_at timestamptz NOT NULL
);
SELECT securityhub_platform('replica');

-- fence grows whenever the holder changes: whoever writes with a smaller one comes too late.
CREATE TABLE lease (
  name text PRIMARY KEY,
  owner text NOT NULL,
  until timestamptz NOT NULL,
  fence bigint NOT NULL
);
SELECT securityhub_platform('lease');

CREATE TABLE outbox (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL DEFAULT gen_random_uuid()::text,
  tenant_id text NOT NULL,
  topic text NOT NULL CHECK (length(topic) BETWEEN 1 AND 128),
  key text NOT NULL CHECK (length(key) <= 512),
  body jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON outbox FOR INSERT TO securityhub_app
  WITH CHECK (tenant_id IN (current_setting('securityhub.tenant', true), ''));
CREATE POLICY every_tenant ON outbox TO securityhub_jobs USING (true) WITH CHECK (true);
GRANT INSERT ON outbox TO securityhub_app;
SELECT securityhub_platform('outbox');
