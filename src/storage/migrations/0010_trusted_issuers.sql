-- Issuers whose tokens a tenant trusts besides ours. The name begins the ids of their subjects, so it keeps its issuer.
CREATE TABLE trusted_issuers (
  tenant_id text NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 32),
  issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
  entry jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, name)
);
SELECT securityhub_wall('trusted_issuers');
