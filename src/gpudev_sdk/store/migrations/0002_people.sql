-- People, their keys and tokens, and what this install is.

CREATE TABLE install (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    id uuid NOT NULL,
    -- Raised by `admin adopt`: every token and nonce of an earlier era is void for good.
    era bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT gpudev_now()
);

CREATE TABLE app_user (
    id uuid PRIMARY KEY,
    number int GENERATED ALWAYS AS IDENTITY UNIQUE,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$' AND name !~ '\n'),
    is_admin boolean NOT NULL DEFAULT false,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT gpudev_now()
);

CREATE TABLE user_key (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES app_user,
    fingerprint text NOT NULL,
    public_key text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gpudev_now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX user_key_live ON user_key (fingerprint) WHERE removed_at IS NULL;
CREATE INDEX user_key_user ON user_key (user_id) WHERE removed_at IS NULL;

CREATE TABLE api_token (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES app_user,
    hash bytea NOT NULL UNIQUE,
    era bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT gpudev_now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_token_user ON api_token (user_id);

-- A login's nonce is recorded when it is used; that makes it single use.
CREATE TABLE used_nonce (
    hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

CREATE TABLE audit_event (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT gpudev_now(),
    actor text NOT NULL,
    via text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    request_id text NOT NULL DEFAULT ''
);

CREATE FUNCTION gpudev_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION gpudev_append_only();
