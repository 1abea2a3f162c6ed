-- The life of a signing key: when it was shown, when it may sign, when it went, and whether its private half is ours to keep.

ALTER TABLE signing_keys
  -- held: a file or a device keeps the private half. Such a key is published while somebody signs with it, never 'active'.
  ADD COLUMN source text NOT NULL DEFAULT 'stored' CHECK (source IN ('stored', 'held')),
  ADD COLUMN published_at timestamptz,
  -- Asked for by hand: it signs from then on.
  ADD COLUMN activate_at timestamptz,
  ADD COLUMN activated_at timestamptz,
  ADD COLUMN retiring_at timestamptz,
  ADD COLUMN retired_at timestamptz,
  -- When a replica last said that it has this held key.
  ADD COLUMN seen_at timestamptz,
  ADD COLUMN revoked_at timestamptz,
  ADD COLUMN revoked_reason text NOT NULL DEFAULT '' CHECK (length(revoked_reason) <= 512),
  ALTER COLUMN private_sealed DROP NOT NULL,
  ADD CONSTRAINT signing_keys_private_half CHECK ((source = 'stored') = (private_sealed IS NOT NULL)),
  ADD CONSTRAINT signing_keys_revoked CHECK (revoked_at IS NULL OR state = 'retired');

-- One key is next.
CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys (purpose) WHERE state IN ('pending', 'published') AND source = 'stored';
