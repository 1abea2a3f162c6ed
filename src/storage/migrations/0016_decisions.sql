-- Decisions as they were made, with what they were made on: to be explained later, and to be made again under other policies.
-- What is personal (attributes, context, owner) is sealed; the rest can be counted and searched.
CREATE TABLE decision (
  tenant_id text NOT NULL,
  id text NOT NULL COLLATE "C" CHECK (length(id) BETWEEN 1 AND 128),
  at timestamptz NOT NULL,
  subject_type text NOT NULL,
  subject_id text NOT NULL,
  resource_type text NOT NULL,
  action text NOT NULL,
  allowed boolean NOT NULL,
  code text NOT NULL,
  rules text[] NOT NULL,
  revision bigint NOT NULL,
  sealed bytea NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX decision_by_time ON decision (tenant_id, at, id);
CREATE INDEX decision_spent ON decision (at);
SELECT securityhub_wall('decision');
