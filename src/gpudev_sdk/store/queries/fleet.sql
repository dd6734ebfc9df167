-- name: put_type
-- What a backend offers, as it says now.
INSERT INTO gpu_type (backend, name, spec, gang, profiles) VALUES (%(backend)s, %(name)s, %(spec)s, %(gang)s, %(profiles)s)
ON CONFLICT (backend, name) DO UPDATE SET spec = excluded.spec, gang = excluded.gang, profiles = excluded.profiles
WHERE (gpu_type.spec, gpu_type.gang, gpu_type.profiles) IS DISTINCT FROM (excluded.spec, excluded.gang, excluded.profiles)

-- name: drop_types
-- Forget types that a backend no longer offers.
DELETE FROM gpu_type WHERE backend = %(backend)s AND name <> ALL(%(names)s)

-- name: list_types
-- The catalogue.
SELECT backend, name, spec, gang, profiles FROM gpu_type ORDER BY name, backend

-- name: put_node
-- A node as it was seen.
INSERT INTO node (backend, name, zone, schedulable, reason, volumes)
VALUES (%(backend)s, %(name)s, %(zone)s, %(schedulable)s, %(reason)s, %(volumes)s)
ON CONFLICT (backend, name) DO UPDATE SET zone = excluded.zone, schedulable = excluded.schedulable, reason = excluded.reason,
    volumes = excluded.volumes
WHERE (node.zone, node.schedulable, node.reason, node.volumes)
    IS DISTINCT FROM (excluded.zone, excluded.schedulable, excluded.reason, excluded.volumes)

-- name: on_changing_nodes
-- Who is on nodes that close or open, now that these alone are open.
SELECT DISTINCT r.id FROM node n JOIN gpu_slot s ON s.backend = n.backend AND s.node = n.name
JOIN reservation r ON r.id = s.reservation_id
WHERE n.backend = %(backend)s AND n.schedulable <> (n.name = ANY(%(open)s)) AND r.state IN ('preparing', 'active')

-- name: lose_nodes
-- Nodes that were not seen take nothing new.
UPDATE node SET schedulable = false, reason = 'not seen any more'
WHERE backend = %(backend)s AND name <> ALL(%(names)s) AND (schedulable OR reason <> 'not seen any more')

-- name: lock_slots
-- Take all slots of a backend in the order in which everybody does: what was lost lies among what was seen.
SELECT FROM gpu_slot WHERE backend = %(backend)s ORDER BY backend, node, gpu_type, idx FOR UPDATE

-- name: put_slot
-- A slot as it was seen.
INSERT INTO gpu_slot (backend, node, gpu_type, idx, device, busy_outside, present)
VALUES (%(backend)s, %(node)s, %(gpu_type)s, %(idx)s, %(device)s, %(busy_outside)s, true)
ON CONFLICT (backend, node, gpu_type, idx) DO UPDATE
SET device = excluded.device, busy_outside = excluded.busy_outside, present = true
WHERE (gpu_slot.device, gpu_slot.busy_outside, gpu_slot.present)
    IS DISTINCT FROM (excluded.device, excluded.busy_outside, true)

-- name: lose_slots
-- Slots that were not seen are not placed any more; a held one stays with its holder.
UPDATE gpu_slot SET present = false
WHERE backend = %(backend)s AND present AND (node || '/' || gpu_type || '/' || idx) <> ALL(%(seen)s)

-- name: put_inventory
-- Note that a backend was seen, or what was in the way.
INSERT INTO inventory (backend, seen_at, trouble) VALUES (%(backend)s, gpudev_now(), %(trouble)s)
ON CONFLICT (backend) DO UPDATE SET trouble = excluded.trouble,
    seen_at = CASE WHEN excluded.trouble IS NULL THEN gpudev_now() ELSE inventory.seen_at END

-- name: away
-- Backends that could not be seen at the last look, and why.
SELECT backend, trouble FROM inventory WHERE trouble IS NOT NULL

-- name: bins
-- Slots of each type on each node: all, and those that may be planned with.
SELECT s.backend, s.node, s.gpu_type, n.zone, n.schedulable, n.reason, n.volumes,
    count(*) FILTER (WHERE s.present) AS total,
    count(*) FILTER (WHERE s.present AND n.schedulable AND (s.busy_outside IS NULL OR s.reservation_id IS NOT NULL)) AS usable,
    count(*) FILTER (WHERE s.present AND n.schedulable AND s.busy_outside IS NULL AND s.reservation_id IS NULL) AS free,
    COALESCE(array_agg(DISTINCT s.busy_outside) FILTER (WHERE s.busy_outside IS NOT NULL AND s.reservation_id IS NULL), '{}')
        AS busy
FROM gpu_slot s JOIN node n ON n.backend = s.backend AND n.name = s.node
LEFT JOIN backend_claim c ON c.backend = s.backend
WHERE c.paused IS NULL
GROUP BY s.backend, s.node, s.gpu_type, n.zone, n.schedulable, n.reason, n.volumes

-- name: together_in
-- How many whole nodes of a type one zone has.
SELECT count(*) AS nodes FROM (
    SELECT s.node, count(*) AS slots FROM gpu_slot s JOIN node n ON n.backend = s.backend AND n.name = s.node
    WHERE s.present AND s.backend = %(backend)s AND s.gpu_type = %(gpu_type)s AND n.zone = %(zone)s
    GROUP BY s.node) w
WHERE w.slots = %(slots)s

-- name: together_with
-- How many whole nodes of a type the zone of one node has, if it is one of them.
SELECT count(*) AS nodes FROM (
    SELECT s.node, count(*) AS slots FROM gpu_slot s JOIN node n ON n.backend = s.backend AND n.name = s.node
    WHERE s.present AND s.backend = %(backend)s AND s.gpu_type = %(gpu_type)s
      AND n.zone = (SELECT zone FROM node WHERE backend = %(backend)s AND name = %(node)s)
    GROUP BY s.node) w
WHERE w.slots = %(slots)s AND EXISTS (
    SELECT FROM gpu_slot o WHERE o.backend = %(backend)s AND o.node = %(node)s AND o.gpu_type = %(gpu_type)s AND o.present
    HAVING count(*) = %(slots)s)

-- name: together
-- The most whole nodes of each type that one zone has, whatever is on them now.
SELECT backend, gpu_type, max(nodes) AS nodes FROM (
    SELECT w.backend, w.gpu_type, w.zone, count(*) AS nodes FROM (
        SELECT s.backend, s.gpu_type, n.zone, count(*) AS slots
        FROM gpu_slot s JOIN node n ON n.backend = s.backend AND n.name = s.node
        WHERE s.present GROUP BY s.backend, s.gpu_type, n.zone, s.node) w
    JOIN gpu_type t ON t.backend = w.backend AND t.name = w.gpu_type
    WHERE w.slots = COALESCE(NULLIF((t.spec ->> 'gpus_per_node')::int, 0), (t.spec ->> 'slots_per_node')::int)
    GROUP BY w.backend, w.gpu_type, w.zone) z
GROUP BY backend, gpu_type

-- name: takes_nobody_in
-- Whether one of these nodes was closed at the last look at its backend.
SELECT EXISTS (SELECT FROM node WHERE backend = %(backend)s AND name = ANY(%(names)s) AND NOT schedulable) AS closed

-- name: holders
-- Who holds slots, where, and since when it is stopping.
SELECT r.id, r.owner_id, u.name AS owner, r.name, r.state, r.backend, r.node, r.gpu_type, r.gpus, r.slots_needed, r.expires_at,
    r.granted, r.state_since, r.needs_attention, r.disk_id, r.gone_at, r.detached_at, r.nodes,
    CASE WHEN r.nodes > 1 THEN (SELECT array_agg(DISTINCT s.node) FROM gpu_slot s WHERE s.reservation_id = r.id) END AS gang
FROM reservation r JOIN app_user u ON u.id = r.owner_id
WHERE r.state IN ('preparing', 'active', 'stopping')

-- name: line
-- Everybody in line, with what ties them to a place. Who waits for a person waits outside.
SELECT r.id, r.owner_id, u.name AS owner, r.name, r.gpu_type, r.gpus, r.slots_needed, r.nodes, r.granted, r.priority, r.seq,
    r.disk_id, r.request ->> 'backend' AS backend, r.retry_at, r.cancel_requested_at, d.backend AS disk_backend,
    CASE WHEN d.reach = 'node' THEN d.node END AS disk_node,
    CASE WHEN d.reach = 'zone' AND d.volume_id IS NOT NULL THEN d.zone END AS disk_zone
FROM reservation r JOIN app_user u ON u.id = r.owner_id LEFT JOIN disk d ON d.id = r.disk_id
WHERE r.state = 'queued' AND r.needs_attention IS NULL
ORDER BY r.priority DESC, r.seq

-- name: free_slots
-- Lock the free slots of these places, lowest first.
SELECT s.backend, s.node, s.gpu_type, s.idx
FROM unnest(%(backends)s::text[], %(nodes)s::text[], %(gpu_types)s::text[]) AS p (backend, node, gpu_type)
JOIN gpu_slot s ON s.backend = p.backend AND s.node = p.node AND s.gpu_type = p.gpu_type
WHERE s.present AND s.reservation_id IS NULL AND s.busy_outside IS NULL
ORDER BY s.backend, s.node, s.gpu_type, s.idx FOR UPDATE OF s

-- name: hold_slots
-- Give slots to reservations.
UPDATE gpu_slot s SET reservation_id = h.id
FROM unnest(%(ids)s::uuid[], %(backends)s::text[], %(nodes)s::text[], %(gpu_types)s::text[], %(indices)s::int[])
    AS h (id, backend, node, gpu_type, idx)
WHERE s.backend = h.backend AND s.node = h.node AND s.gpu_type = h.gpu_type AND s.idx = h.idx AND s.reservation_id IS NULL

-- name: free_slots_of
-- Take back all slots of a reservation, locked in the order in which everybody locks slots.
WITH held AS (
    SELECT backend, node, gpu_type, idx FROM gpu_slot WHERE reservation_id = %(id)s
    ORDER BY backend, node, gpu_type, idx FOR UPDATE)
UPDATE gpu_slot s SET reservation_id = NULL FROM held h
WHERE s.backend = h.backend AND s.node = h.node AND s.gpu_type = h.gpu_type AND s.idx = h.idx

-- name: planner_lock
-- One planner at a time; the reads come in later statements, so that they see what the last one did.
SELECT pg_advisory_xact_lock(7205759)

-- name: planner
-- How far the planner is.
SELECT wanted, planned, made_at, wake_at, gpudev_now() AS now FROM planner

-- name: planned
-- The plan for this counter is made.
UPDATE planner SET planned = GREATEST(planned, %(wanted)s), made_at = gpudev_now(), wake_at = %(wake_at)s

-- name: clear_plan
-- Forget plans of those no longer in line.
DELETE FROM plan p WHERE NOT EXISTS (
    SELECT FROM reservation r
    WHERE r.id = p.reservation_id AND r.state = 'queued' AND r.needs_attention IS NULL AND r.cancel_requested_at IS NULL)

-- name: put_plan
-- What those in line are told, where it is other than before.
INSERT INTO plan (reservation_id, position, starts_at, backend, node, waiting_for, made_at)
SELECT n.*, gpudev_now()
FROM unnest(%(reservation_ids)s::uuid[], %(positions)s::int[], %(starts)s::timestamptz[], %(backends)s::text[],
    %(nodes)s::text[], %(reasons)s::text[]) AS n (reservation_id, position, starts_at, backend, node, waiting_for)
LEFT JOIN plan p ON p.reservation_id = n.reservation_id
WHERE p.reservation_id IS NULL OR (p.position, p.starts_at, p.backend, p.node, p.waiting_for)
    IS DISTINCT FROM (n.position, n.starts_at, n.backend, n.node, n.waiting_for)
ON CONFLICT (reservation_id) DO UPDATE SET position = excluded.position, starts_at = excluded.starts_at,
    backend = excluded.backend, node = excluded.node, waiting_for = excluded.waiting_for, made_at = excluded.made_at

-- name: allocate
-- Queued reservations get their places.
UPDATE reservation r SET state = 'preparing', generation = r.generation + 1, backend = p.backend, node = p.node,
    state_since = gpudev_now(), state_deadline = gpudev_now() + %(max_preparing)s, detail = 'starting',
    wake_at = gpudev_now(), retry_at = NULL
FROM unnest(%(ids)s::uuid[], %(backends)s::text[], %(nodes)s::text[]) AS p (id, backend, node)
WHERE r.id = p.id AND r.state = 'queued' AND r.cancel_requested_at IS NULL
RETURNING r.id, r.generation, r.attempt, r.backend, r.node, r.gpu_type, r.disk_id

-- name: claim
-- What we believe of who controls a backend.
SELECT control_plane_id, epoch, raised_at, written_at, paused, gpudev_now() AS now FROM backend_claim WHERE backend = %(backend)s

-- name: list_claims
-- All of them.
SELECT backend, control_plane_id, epoch, raised_at, paused FROM backend_claim ORDER BY backend

-- name: put_claim
-- Raise our side of the claim; the backend's follows.
INSERT INTO backend_claim (backend, control_plane_id, epoch) VALUES (%(backend)s, %(control_plane_id)s, %(epoch)s)
ON CONFLICT (backend) DO UPDATE SET control_plane_id = excluded.control_plane_id, epoch = excluded.epoch,
    raised_at = gpudev_now(), paused = NULL

-- name: claim_written
-- The backend holds our claim.
UPDATE backend_claim SET written_at = gpudev_now() WHERE backend = %(backend)s AND written_at IS NULL

-- name: pause
-- Stop all effects on a backend.
INSERT INTO backend_claim (backend, control_plane_id, epoch, paused) VALUES (%(backend)s, %(control_plane_id)s, 1, %(why)s)
ON CONFLICT (backend) DO UPDATE SET paused = excluded.paused

-- name: pause_all
-- Stop all effects everywhere.
UPDATE backend_claim SET paused = %(why)s

-- name: new_era
-- Make every token and nonce of before void for good.
UPDATE install SET era = era + 1
