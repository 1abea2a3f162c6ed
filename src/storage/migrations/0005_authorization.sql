-- Roles, assignments, grants and denies, resource types. What is built in lives in the code and has no rows.

CREATE TABLE role (
  tenant_id text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  description text NOT NULL DEFAULT '' CHECK (length(description) <= 1024),
  permissions text[] NOT NULL DEFAULT '{}',
  inherits text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
SELECT securityhub_wall('role');

-- The role may be built in, so no foreign key; writers of a tenant's authorization take turns (an advisory lock) and look.
CREATE TABLE role_assignment (
  tenant_id text NOT NULL,
  subject_type text NOT NULL CHECK (length(subject_type) BETWEEN 1 AND 64),
  subject_id text NOT NULL CHECK (length(subject_id) BETWEEN 1 AND 320),
  role text NOT NULL CHECK (length(role) BETWEEN 1 AND 128),
  expires_at timestamptz,
  assigned_by text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, subject_type, subject_id, role)
);
CREATE INDEX role_assignment_role ON role_assignment (tenant_id, role);
CREATE INDEX role_assignment_ended ON role_assignment (expires_at) WHERE expires_at IS NOT NULL;
SELECT securityhub_wall('role_assignment');

CREATE TABLE permission_grant (
  tenant_id text NOT NULL,
  id text NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
  subject_type text NOT NULL CHECK (length(subject_type) BETWEEN 1 AND 64),
  subject_id text NOT NULL CHECK (length(subject_id) BETWEEN 1 AND 320),
  effect text NOT NULL CHECK (effect IN ('allow', 'deny')),
  permission text NOT NULL CHECK (length(permission) BETWEEN 1 AND 257),
  -- '' = every resource of the type
  resource_id text NOT NULL DEFAULT '' CHECK (length(resource_id) <= 512),
  expires_at timestamptz,
  reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 1024),
  granted_by text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
-- One row a rule: putting it again changes its end and its reason.
CREATE UNIQUE INDEX permission_grant_rule ON permission_grant (tenant_id, subject_type, subject_id, effect, permission, resource_id);
CREATE INDEX permission_grant_ended ON permission_grant (expires_at) WHERE expires_at IS NOT NULL;
SELECT securityhub_wall('permission_grant');

CREATE TABLE resource_type (
  tenant_id text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  description text NOT NULL DEFAULT '' CHECK (length(description) <= 1024),
  actions text[] NOT NULL DEFAULT '{}',
  owner_actions text[] NOT NULL DEFAULT '{}',
  default_classification text NOT NULL DEFAULT 'internal' CHECK (length(default_classification) <= 64),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
SELECT securityhub_wall('resource_type');
