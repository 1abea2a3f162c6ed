-- Policies as documents. A row is one policy as it stood in the versions [from_version, to_version); the installation's are those of
-- tenant '', which only jobs reach. A set of 10,000 thus costs a change only the rows it changes, and every version can be told.

CREATE TABLE policy (
  tenant_id text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  from_version bigint NOT NULL CHECK (from_version > 0),
  -- NULL = active
  to_version bigint CHECK (to_version > from_version),
  kind text NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
  category text NOT NULL DEFAULT '' CHECK (length(category) <= 128),
  description text NOT NULL DEFAULT '' CHECK (length(description) <= 1024),
  layer text NOT NULL CHECK (length(layer) <= 32),
  -- As it was written.
  content text NOT NULL CHECK (length(content) <= 32768),
  -- As it was read: the document and the trees of its conditions, in the form that `form` numbers.
  form integer NOT NULL,
  body text NOT NULL,
  -- Names of conditions that it offers and that it needs.
  offers text[] NOT NULL DEFAULT '{}',
  needs text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  PRIMARY KEY (tenant_id, name, from_version)
);
CREATE UNIQUE INDEX policy_active ON policy (tenant_id, name) WHERE to_version IS NULL;
CREATE INDEX policy_from ON policy (tenant_id, from_version);
CREATE INDEX policy_to ON policy (tenant_id, to_version) WHERE to_version IS NOT NULL;
SELECT securityhub_wall('policy');

CREATE TABLE policy_set (
  tenant_id text NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  base_version bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('draft', 'active', 'superseded', 'discarded')),
  policies integer NOT NULL DEFAULT 0,
  changed integer NOT NULL DEFAULT 0,
  level text NOT NULL,
  -- The first of them, for people.
  changes jsonb NOT NULL,
  comment text NOT NULL DEFAULT '' CHECK (length(comment) <= 1024),
  -- What a draft would apply; NULL once it is decided.
  draft text,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  activated_at timestamptz,
  PRIMARY KEY (tenant_id, version)
);
CREATE UNIQUE INDEX policy_set_active ON policy_set (tenant_id) WHERE state = 'active';
SELECT securityhub_wall('policy_set');
