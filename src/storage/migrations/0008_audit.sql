-- The audit log: one row an event (or a counted number of equal ones), monthly partitions, added to and read, never changed.
CREATE TABLE audit_event (
  tenant_id       text        NOT NULL,
  time            timestamptz NOT NULL,
  id              text        NOT NULL COLLATE "C",
  type            text        NOT NULL,
  actor_type      text        NOT NULL,
  actor_id        text        NOT NULL,
  actor_tenant_id text        NOT NULL,
  resource        text        NOT NULL,
  action          text        NOT NULL,
  result          text        NOT NULL,
  reason          text        NOT NULL,
  level           text        NOT NULL,
  ip_address      text        NOT NULL,
  session_id      text        NOT NULL,
  request_id      text        NOT NULL,
  method          text        NOT NULL,
  count           bigint      NOT NULL,
  details         jsonb       NOT NULL,
  risk_indicators text[]      NOT NULL,
  PRIMARY KEY (tenant_id, time, id)
) PARTITION BY RANGE (time);

CREATE INDEX audit_event_by_actor ON audit_event (tenant_id, actor_id, time);
CREATE INDEX audit_event_by_type ON audit_event (tenant_id, type, time);

SELECT securityhub_wall('audit_event');
REVOKE UPDATE, DELETE, TRUNCATE ON audit_event FROM securityhub_app, securityhub_jobs;
-- Events of the installation ('') may be stated in any tenant's transaction; only jobs read them, for the operator.
CREATE POLICY installation ON audit_event FOR INSERT TO securityhub_app WITH CHECK (tenant_id = '');
CREATE POLICY not_installation ON audit_event AS RESTRICTIVE FOR SELECT TO securityhub_app USING (tenant_id <> '');

-- An insert never fails for want of a partition. Nobody but the owner reaches a partition except through the table and its wall.
CREATE TABLE audit_event_default PARTITION OF audit_event DEFAULT;
ALTER TABLE audit_event_default ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON audit_event_default FROM PUBLIC, securityhub_app, securityhub_jobs;

-- Makes the partition of a month; false where it stands. Rows that went to the default partition meanwhile move into it.
CREATE FUNCTION audit_event_keep_month(month date) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  first     date := date_trunc('month', month)::date;
  lower     text := to_char(first, 'YYYY-MM-DD') || ' 00:00:00+00';
  upper     text := to_char(first + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00';
  partition text := 'audit_event_' || to_char(first, 'YYYYMM');
BEGIN
  IF to_regclass(quote_ident(partition)) IS NOT NULL THEN
    RETURN false;
  END IF;
  PERFORM set_config('lock_timeout', '2s', true);
  LOCK TABLE audit_event_default IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE %I (LIKE audit_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
  EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, securityhub_app, securityhub_jobs', partition);
  EXECUTE format('WITH moved AS (DELETE FROM audit_event_default WHERE time >= %L AND time < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
    lower, upper, partition);
  EXECUTE format('ALTER TABLE audit_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, lower, upper);
  RETURN true;
END $$;

-- Drops the partitions that end at or before the bound; the last day is never within reach, whatever the bound says.
CREATE FUNCTION audit_event_drop_before(bound timestamptz) RETURNS SETOF text
  LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  safe timestamptz := least(bound, now() - interval '1 day');
  name text;
BEGIN
  PERFORM set_config('lock_timeout', '2s', true);
  FOR name IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'audit_event'::regclass AND c.relname ~ '^audit_event_\d{6}$' ORDER BY c.relname
  LOOP
    IF (to_date(right(name, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC' <= safe THEN
      EXECUTE format('DROP TABLE %I', name);
      RETURN NEXT name;
    END IF;
  END LOOP;
  DELETE FROM audit_event_default WHERE time < safe;
END $$;

-- They run as the owner: no table of anybody's temporary schema may stand in for ours.
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION audit_event_keep_month(date) SET search_path = %I, pg_temp', current_schema());
  EXECUTE format('ALTER FUNCTION audit_event_drop_before(timestamptz) SET search_path = %I, pg_temp', current_schema());
END $$;
REVOKE ALL ON FUNCTION audit_event_keep_month(date), audit_event_drop_before(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_event_keep_month(date), audit_event_drop_before(timestamptz) TO securityhub_jobs;

SELECT audit_event_keep_month(now()::date), audit_event_keep_month((now() + interval '1 month')::date);
