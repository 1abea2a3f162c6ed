-- What a family is bound to, access tokens counted apart from refresh tokens, and when a session was last seen.

-- NULL: bound to nothing. Members as in `cnf` (RFC 7800).
ALTER TABLE token_families ADD COLUMN confirmation jsonb;
-- The number in the id of the last access token, where it has run ahead of `generation` because the refresh token was kept.
ALTER TABLE token_families ADD COLUMN access_generation bigint;

ALTER TABLE sessions ADD COLUMN last_activity_at timestamptz;
-- Room for the minute's writes: they touch no index and stay in their page.
ALTER TABLE sessions SET (fillfactor = 80);
-- A tenant's living sessions are counted and listed from the index.
CREATE INDEX sessions_live ON sessions (tenant_id, expires_at) WHERE ended_at IS NULL;

ALTER TABLE workloads ADD COLUMN exchange_audiences text[] NOT NULL DEFAULT '{}';
