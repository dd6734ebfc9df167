-- name: install
-- Who we are.
SELECT id, era FROM install

-- name: make_install
-- The first start decides who we are.
INSERT INTO install (id) VALUES (%(id)s) ON CONFLICT DO NOTHING

-- name: insert_user
-- Add a person.
INSERT INTO app_user (id, name, is_admin) VALUES (%(id)s, %(name)s, %(is_admin)s)
ON CONFLICT (name) DO NOTHING RETURNING id

-- name: find_user
-- A person by name.
SELECT * FROM app_user WHERE name = %(name)s

-- name: find_user_by_id
-- A person by id.
SELECT * FROM app_user WHERE id = %(id)s

-- name: lock_user
-- One thing at a time for each person: limits and names are checked under this lock.
SELECT * FROM app_user WHERE id = %(id)s FOR NO KEY UPDATE

-- name: list_users
-- Everybody.
SELECT u.*, (SELECT count(*) FROM user_key k WHERE k.user_id = u.id AND k.removed_at IS NULL) AS keys
FROM app_user u ORDER BY u.name

-- name: disable_user
-- Shut a person out, or let them in again.
UPDATE app_user SET disabled_at = CASE WHEN %(disabled)s THEN COALESCE(disabled_at, gpudev_now()) END WHERE id = %(id)s

-- name: make_admin
-- The owner of the machine's socket runs the install.
UPDATE app_user SET is_admin = true WHERE id = %(id)s AND NOT is_admin

-- name: insert_key
-- Enrol a key.
INSERT INTO user_key (id, user_id, fingerprint, public_key, name)
VALUES (%(id)s, %(user_id)s, %(fingerprint)s, %(public_key)s, %(name)s)
ON CONFLICT (fingerprint) WHERE removed_at IS NULL DO NOTHING RETURNING id

-- name: find_key
-- A live key and whose it is.
SELECT k.*, u.name AS user_name, u.disabled_at FROM user_key k JOIN app_user u ON u.id = k.user_id
WHERE k.fingerprint = %(fingerprint)s AND k.removed_at IS NULL

-- name: keys_of
-- A person's keys.
SELECT * FROM user_key WHERE user_id = %(user_id)s AND removed_at IS NULL ORDER BY created_at

-- name: remove_key
-- Take a key away.
UPDATE user_key SET removed_at = gpudev_now() WHERE id = %(id)s AND user_id = %(user_id)s AND removed_at IS NULL

-- name: insert_identity
-- Link an identity of a login to a person.
INSERT INTO user_identity (id, user_id, login, subject, display)
VALUES (%(id)s, %(user_id)s, %(login)s, %(subject)s, %(display)s)
ON CONFLICT (login, subject) WHERE removed_at IS NULL DO NOTHING RETURNING id

-- name: find_identity
-- A live identity and whose it is: by login and subject, word for word.
SELECT i.*, u.name AS user_name, u.disabled_at FROM user_identity i JOIN app_user u ON u.id = i.user_id
WHERE i.login = %(login)s AND i.subject = %(subject)s AND i.removed_at IS NULL

-- name: was_unlinked
-- Whether an admin once took this identity from somebody.
SELECT 1 AS one FROM user_identity WHERE login = %(login)s AND subject = %(subject)s AND removed_at IS NOT NULL LIMIT 1

-- name: list_identities
-- Everybody's live identities, oldest first.
SELECT * FROM user_identity WHERE removed_at IS NULL ORDER BY created_at, id

-- name: remove_identity
-- Unlink an identity from its person.
UPDATE user_identity SET removed_at = gpudev_now() WHERE id = %(id)s AND user_id = %(user_id)s AND removed_at IS NULL
RETURNING login, subject

-- name: revoke_tokens
-- End every token of a person.
UPDATE api_token SET revoked_at = gpudev_now() WHERE user_id = %(user_id)s AND revoked_at IS NULL

-- name: insert_token
-- A fresh token; only its hash is kept.
INSERT INTO api_token (id, user_id, hash, era, expires_at)
SELECT %(id)s, %(user_id)s, %(hash)s, era, gpudev_now() + %(lasts)s FROM install RETURNING expires_at

-- name: find_token
-- Who a token is, if it still counts.
SELECT t.id AS token_id, t.last_used_at, t.revoked_at, t.expires_at <= gpudev_now() AS expired, t.era <> i.era AS void,
    u.* FROM api_token t JOIN app_user u ON u.id = t.user_id CROSS JOIN install i
WHERE t.hash = %(hash)s

-- name: token_used
-- Note the use of a token, at most once a minute.
UPDATE api_token SET last_used_at = gpudev_now()
WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at < gpudev_now() - interval '1 minute')

-- name: tokens_of
-- A person's tokens that still count.
SELECT t.* FROM api_token t CROSS JOIN install i
WHERE t.user_id = %(user_id)s AND t.revoked_at IS NULL AND t.expires_at > gpudev_now() AND t.era = i.era
ORDER BY t.created_at

-- name: revoke_token
-- End a token.
UPDATE api_token SET revoked_at = gpudev_now() WHERE id = %(id)s AND user_id = %(user_id)s AND revoked_at IS NULL

-- name: use_nonce
-- Record a nonce as used; it returns nothing the second time.
INSERT INTO used_nonce (hash, expires_at) VALUES (%(hash)s, gpudev_now() + interval '10 minutes')
ON CONFLICT DO NOTHING RETURNING hash

-- name: forget_nonces
-- Drop nonces that could not be used anyway.
DELETE FROM used_nonce WHERE expires_at < gpudev_now()

-- name: audit
-- Write down who did what.
INSERT INTO audit_event (actor, via, action, object, request_id)
VALUES (%(actor)s, %(via)s, %(action)s, %(object)s, %(request_id)s)

-- name: boxes_of
-- A person's boxes that are up or coming up.
SELECT id FROM reservation WHERE owner_id = %(user_id)s AND state IN ('preparing', 'active')
