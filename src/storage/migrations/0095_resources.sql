-- Resources that their tenant has registered, so that it can be asked which of them somebody may act on. No check reads them.
CREATE TABLE resource (
  tenant_id text NOT NULL,
  type text NOT NULL COLLATE "C" CHECK (length(type) BETWEEN 1 AND 128),
  id text NOT NULL COLLATE "C" CHECK (length(id) BETWEEN 1 AND 512),
  owner_id text NOT NULL,
  classification text NOT NULL,
  attributes jsonb NOT NULL,
  parents jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, type, id)
);
SELECT securityhub_wall('resource');
