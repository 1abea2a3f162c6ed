-- The rest of the authorization model: bounds of roles, validity windows, conditions, groups, delegations, clearance, parents.

ALTER TABLE role
  ADD COLUMN workloads text[] NOT NULL DEFAULT '{}',
  ADD COLUMN environments text[] NOT NULL DEFAULT '{}',
  ADD COLUMN exclusive_with text[] NOT NULL DEFAULT '{}',
  -- 0 = any number
  ADD COLUMN max_holders integer NOT NULL DEFAULT 0 CHECK (max_holders >= 0),
  ADD COLUMN require_mfa boolean NOT NULL DEFAULT false,
  ADD COLUMN address_ranges text[] NOT NULL DEFAULT '{}',
  ADD COLUMN hours jsonb NOT NULL DEFAULT '[]',
  -- '' = says nothing
  ADD COLUMN clearance text NOT NULL DEFAULT '' CHECK (length(clearance) <= 64);

ALTER TABLE role_assignment ADD COLUMN not_before timestamptz;

ALTER TABLE permission_grant
  ADD COLUMN not_before timestamptz,
  ADD COLUMN condition text NOT NULL DEFAULT '' CHECK (length(condition) <= 4096),
  -- As it was parsed and checked when it was written; null without a condition.
  ADD COLUMN condition_tree jsonb;

ALTER TABLE resource_type
  ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN parent_types text[] NOT NULL DEFAULT '{}';

CREATE TABLE subject_group (
  tenant_id text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  description text NOT NULL DEFAULT '' CHECK (length(description) <= 1024),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
SELECT securityhub_wall('subject_group');

CREATE TABLE group_member (
  tenant_id text NOT NULL,
  member_type text NOT NULL CHECK (length(member_type) BETWEEN 1 AND 64),
  member_id text NOT NULL CHECK (length(member_id) BETWEEN 1 AND 320),
  group_name text NOT NULL CHECK (length(group_name) BETWEEN 1 AND 128),
  expires_at timestamptz,
  added_by text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, member_type, member_id, group_name),
  FOREIGN KEY (tenant_id, group_name) REFERENCES subject_group (tenant_id, name) ON DELETE CASCADE
);
CREATE INDEX group_member_of ON group_member (tenant_id, group_name, member_type, member_id);
CREATE INDEX group_member_ended ON group_member (expires_at) WHERE expires_at IS NOT NULL;
SELECT securityhub_wall('group_member');

-- What a grantor lends of what it holds: decided on the grantor's rights at the moment of the question, so nothing is copied here.
CREATE TABLE delegation (
  tenant_id text NOT NULL,
  id text NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
  grantor_type text NOT NULL CHECK (length(grantor_type) BETWEEN 1 AND 64),
  grantor_id text NOT NULL CHECK (length(grantor_id) BETWEEN 1 AND 320),
  grantee_type text NOT NULL CHECK (length(grantee_type) BETWEEN 1 AND 64),
  grantee_id text NOT NULL CHECK (length(grantee_id) BETWEEN 1 AND 320),
  permissions text[] NOT NULL,
  resource_id text NOT NULL DEFAULT '' CHECK (length(resource_id) <= 512),
  not_before timestamptz,
  expires_at timestamptz NOT NULL,
  -- How many further hands it may pass through.
  depth integer NOT NULL DEFAULT 0 CHECK (depth BETWEEN 0 AND 2),
  reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 1024),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
-- One row for grantor, grantee and resource: putting it again changes the rest.
CREATE UNIQUE INDEX delegation_rule ON delegation (tenant_id, grantee_type, grantee_id, grantor_type, grantor_id, resource_id);
CREATE INDEX delegation_grantor ON delegation (tenant_id, grantor_type, grantor_id);
CREATE INDEX delegation_ended ON delegation (expires_at);
SELECT securityhub_wall('delegation');

-- Stands above what a subject's roles say.
CREATE TABLE subject_clearance (
  tenant_id text NOT NULL,
  subject_type text NOT NULL CHECK (length(subject_type) BETWEEN 1 AND 64),
  subject_id text NOT NULL CHECK (length(subject_id) BETWEEN 1 AND 320),
  clearance text NOT NULL CHECK (length(clearance) BETWEEN 1 AND 64),
  expires_at timestamptz,
  set_by text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, subject_type, subject_id)
);
CREATE INDEX subject_clearance_ended ON subject_clearance (expires_at) WHERE expires_at IS NOT NULL;
SELECT securityhub_wall('subject_clearance');
