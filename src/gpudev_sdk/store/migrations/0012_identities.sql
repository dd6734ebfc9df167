-- Who a login's identity is: exactly its login and its subject are one person's. `display` is for people to read; nobody is found by it.
-- A key of a login by ssh is found in `user_key`, and in no other place.

CREATE TABLE user_identity (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES app_user,
    login text NOT NULL CHECK (login <> ''),
    subject text NOT NULL CHECK (length(subject) <= 160 AND subject COLLATE "C" ~ '^[!-&(-~]+( [!-&(-~]+)*$'),
    display text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT gpudev_now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX user_identity_live ON user_identity (login, subject) WHERE removed_at IS NULL;
CREATE INDEX user_identity_user ON user_identity (user_id) WHERE removed_at IS NULL;
