-- name: insert_reservation
-- Accept a request; the caller holds the owner's row lock.
INSERT INTO reservation (id, owner_id, name, request, request_digest, idempotency_key, gpu_type, gpus, slots_needed, nodes,
    priority, state, granted, state_deadline, queue_deadline, disk_id, wake_at)
VALUES (%(id)s, %(owner_id)s, %(name)s, %(request)s, %(request_digest)s, %(idempotency_key)s, %(gpu_type)s, %(gpus)s,
    %(slots_needed)s, %(nodes)s, %(priority)s, 'queued', %(granted)s, gpudev_now() + %(max_wait)s, gpudev_now() + %(max_wait)s,
    %(disk_id)s, gpudev_now() + %(max_wait)s)

-- name: find_by_key
-- The reservation that an idempotency key made before.
SELECT id, request_digest FROM reservation WHERE owner_id = %(owner_id)s AND idempotency_key = %(key)s

-- name: find_reservation
-- One row as the engine decides on it.
SELECT r.*, u.name AS owner, u.number AS owner_number, gpudev_now() AS now,
    COALESCE((SELECT array_agg(idx ORDER BY idx) FROM gpu_slot s WHERE s.reservation_id = r.id AND s.node = r.node), '{}')
        AS slots,
    CASE WHEN r.nodes > 1 THEN (SELECT json_agg(json_build_array(s.node, s.idx)) FROM gpu_slot s WHERE s.reservation_id = r.id)
        END AS gang
FROM reservation r JOIN app_user u ON u.id = r.owner_id
WHERE r.id = %(id)s

-- name: match_reservations
-- The owner's reservations that a name, an id or the beginning of one means; live ones first, newest first.
SELECT r.id, r.state FROM reservation r
WHERE r.owner_id = %(owner_id)s AND (r.name = %(ref)s OR starts_with(r.id::text, %(id_prefix)s))
ORDER BY (r.state = 'ended'), (r.state = 'queued'), r.seq DESC LIMIT 3

-- name: list_reservations
-- A page of the owner's reservations (or of everyone's), newest first.
SELECT r.*, u.name AS owner, u.number AS owner_number,
    COALESCE((SELECT array_agg(idx ORDER BY idx) FROM gpu_slot s WHERE s.reservation_id = r.id AND s.node = r.node), '{}')
        AS slots,
    CASE WHEN r.nodes > 1 THEN (SELECT json_agg(json_build_array(s.node, s.idx)) FROM gpu_slot s WHERE s.reservation_id = r.id)
        END AS gang
FROM reservation r JOIN app_user u ON u.id = r.owner_id
WHERE (%(owner_id)s::uuid IS NULL OR r.owner_id = %(owner_id)s)
  AND (%(which)s = 'all' OR (r.state = 'ended') = (%(which)s = 'ended'))
  AND (%(after)s::bigint IS NULL OR r.seq < %(after)s)
ORDER BY r.seq DESC LIMIT %(limit)s

-- name: plans_of
-- The planner's answers for these reservations.
SELECT reservation_id, position, starts_at, waiting_for FROM plan WHERE reservation_id = ANY(%(ids)s)

-- name: disks_of
-- Names of the disks of these reservations.
SELECT r.id AS reservation_id, d.name FROM reservation r JOIN disk d ON d.id = r.disk_id WHERE r.id = ANY(%(ids)s)

-- name: insert_event
-- Append to the history.
INSERT INTO reservation_event (reservation_id, generation, what, from_state, to_state, detail, actor)
VALUES (%(reservation_id)s, %(generation)s, %(what)s, %(from_state)s, %(to_state)s, %(detail)s, %(actor)s)

-- name: list_events
-- A reservation's history, oldest first.
SELECT number, at, what, from_state, to_state, detail, actor FROM reservation_event
WHERE reservation_id = %(id)s ORDER BY number

-- name: take_lease
-- Become the one who acts on a row, unless somebody is; the epoch rises with every new holder.
UPDATE reservation SET lease_holder = %(holder)s, lease_epoch = lease_epoch + 1, lease_until = gpudev_now() + %(ttl)s
WHERE id = %(id)s AND state <> 'ended' AND (lease_until IS NULL OR lease_until < gpudev_now())
RETURNING lease_epoch

-- name: lease_holders
-- Workers that hold rows or disks now.
SELECT DISTINCT lease_holder AS holder FROM reservation WHERE lease_until > gpudev_now()
UNION SELECT DISTINCT lease_holder FROM disk WHERE lease_until > gpudev_now()

-- name: end_leases
-- A worker that is known to be dead holds nothing any more.
UPDATE reservation SET lease_until = gpudev_now() WHERE lease_holder = %(holder)s AND lease_until > gpudev_now()

-- name: end_disk_leases
-- The same for its disks.
UPDATE disk SET lease_until = gpudev_now() WHERE lease_holder = %(holder)s AND lease_until > gpudev_now()

-- name: renew_lease
-- Go on being the one, if one still is.
UPDATE reservation SET lease_until = gpudev_now() + %(ttl)s WHERE id = %(id)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL

-- name: rest
-- Let go of a row until `delay` from now, unless it was edited meanwhile.
UPDATE reservation SET lease_holder = NULL, lease_until = NULL, wake_at = gpudev_now() + %(delay)s,
    detail = COALESCE(%(detail)s, detail)
WHERE id = %(id)s AND lease_epoch = %(epoch)s AND generation = %(generation)s

-- name: coming
-- Rows whose time has come or comes next; those at work are counted by the end of their lease.
(SELECT 'reservation' AS kind, id, GREATEST(wake_at, COALESCE(lease_until, wake_at)) - gpudev_now() AS delay
 FROM reservation WHERE state <> 'ended' AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 40)
UNION ALL
(SELECT 'disk', id, GREATEST(wake_at, COALESCE(lease_until, wake_at)) - gpudev_now()
 FROM disk WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 20)
ORDER BY delay LIMIT 40

-- name: live_count
-- What one person has now, in line or running.
SELECT count(*) AS reservations, COALESCE(sum(gpus * nodes), 0) AS gpus FROM reservation
WHERE owner_id = %(owner_id)s AND state <> 'ended'

-- name: live_names
-- Names that one person's boxes have now.
SELECT name FROM reservation
WHERE owner_id = %(owner_id)s AND state IN ('queued', 'preparing', 'active') AND cancel_requested_at IS NULL

-- name: disk_user
-- The reservation that has a disk or waits for it, if one does.
SELECT id, name, CASE WHEN cancel_requested_at IS NULL THEN state ELSE 'stopping' END AS state
FROM reservation WHERE disk_id = %(disk_id)s AND state <> 'ended'
ORDER BY (state = 'stopping' OR cancel_requested_at IS NOT NULL), seq LIMIT 1

-- name: put_secret
-- Keep a secret value until the reservation ends.
INSERT INTO reservation_secret (reservation_id, name, value) VALUES (%(id)s, %(name)s, %(value)s)
ON CONFLICT (reservation_id, name) DO UPDATE SET value = excluded.value

-- name: add_secret
-- Keep a secret value of a new reservation until it ends.
INSERT INTO reservation_secret (reservation_id, name, value) VALUES (%(id)s, %(name)s, %(value)s)

-- name: secrets_of
-- The secret values of a reservation.
SELECT name, value FROM reservation_secret WHERE reservation_id = %(id)s

-- name: erase_secrets
-- Forget them.
DELETE FROM reservation_secret WHERE reservation_id = %(id)s

-- name: warned
-- Warnings already recorded for the present end.
SELECT threshold, gaps FROM warning WHERE reservation_id = %(id)s AND expires_at = %(expires_at)s

-- name: add_warning
-- Record a warning; once each.
INSERT INTO warning (reservation_id, threshold, expires_at, gaps)
VALUES (%(id)s, %(threshold)s, %(expires_at)s, %(gaps)s) ON CONFLICT DO NOTHING

-- name: served
-- How long this control plane was awake, and why it must not act on a backend; `by_now` counts what the next sweep may yet add
-- for the time until now.
SELECT seconds, gaps, updated_at, (SELECT c.paused FROM backend_claim c WHERE c.backend = %(backend)s) AS paused,
    seconds + LEAST(GREATEST(extract(epoch FROM gpudev_now() - updated_at), 0), 30) AS by_now FROM served

-- name: serve
-- Add what was really served since the last sweep: by our monotonic clock, by the database's, and never over 30 s.
UPDATE served SET
    gaps = gaps + CASE WHEN gpudev_now() - updated_at > interval '30 s' OR gpudev_now() < updated_at OR %(since)s > 30
                       THEN 1 ELSE 0 END,
    seconds = seconds + LEAST(GREATEST(%(since)s, 0), GREATEST(extract(epoch FROM gpudev_now() - updated_at), 0), 30),
    updated_at = gpudev_now()
RETURNING seconds, gaps, (SELECT min(expires_at) - gpudev_now() FROM reservation WHERE state = 'active') AS coming

-- name: live_servers
-- Every attempt that may have something outside.
SELECT id, attempt, state FROM reservation WHERE backend = %(backend)s AND state IN ('preparing', 'active', 'stopping')

-- name: access_rows
-- The active box that a name means to one person: their own, or another's that they may reach. For now that is only one's own.
SELECT r.id, r.name, u.name AS owner, r.endpoint FROM reservation r JOIN app_user u ON u.id = r.owner_id
WHERE r.state = 'active' AND r.owner_id = %(user_id)s AND r.name = %(name)s AND r.endpoint IS NOT NULL
  AND (%(owner)s::text IS NULL OR u.name = %(owner)s)

-- name: still_held
-- Which of these (person, key, box) are still allowed; without a box: whether the person may be connected by that key.
SELECT h.user_id, h.fingerprint, h.reservation_id
FROM unnest(%(user_ids)s::uuid[], %(fingerprints)s::text[], %(reservation_ids)s::uuid[])
    AS h (user_id, fingerprint, reservation_id)
JOIN app_user u ON u.id = h.user_id AND u.disabled_at IS NULL
JOIN user_key k ON k.user_id = u.id AND k.fingerprint = h.fingerprint AND k.removed_at IS NULL
LEFT JOIN reservation r ON r.id = h.reservation_id AND r.owner_id = u.id AND r.state = 'active'
    AND r.cancel_requested_at IS NULL
WHERE h.reservation_id IS NULL OR r.id IS NOT NULL

-- name: rest_after_trouble
-- Let go of a row after an error, to be tried again later.
UPDATE reservation SET lease_holder = NULL, lease_until = NULL, wake_at = gpudev_now() + %(delay)s, detail = %(detail)s
WHERE id = %(id)s AND lease_holder = %(holder)s AND state <> 'ended'
