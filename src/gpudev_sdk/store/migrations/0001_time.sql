-- The one clock of the schema, and what the store notes about itself.

-- The time at the statement's start, or the session setting `gpudev.now` where a simulation has set it. STABLE, so that an
-- index serves `wake_at <= gpudev_now()`.
CREATE FUNCTION gpudev_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN COALESCE(NULLIF(current_setting('gpudev.now', true), '')::timestamptz, statement_timestamp());

CREATE TABLE schema_migration (
    number int PRIMARY KEY CHECK (number > 0),
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT gpudev_now()
);

-- What else was installed, and in which version: PGMQ, the grants.
CREATE TABLE schema_note (
    what text PRIMARY KEY,
    version text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT gpudev_now()
);
