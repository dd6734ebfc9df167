-- name: wrong_slots
-- Preparing and active reservations hold exactly their slots; queued and ended ones none.
SELECT format('%s is %s and holds %s of %s slots', r.id, r.state, count(s.idx), r.slots_needed) AS what
FROM reservation r LEFT JOIN gpu_slot s ON s.reservation_id = r.id
GROUP BY r.id
HAVING (r.state IN ('preparing', 'active') AND count(s.idx) <> r.slots_needed)
    OR (r.state IN ('queued', 'ended') AND count(s.idx) <> 0)
    OR (r.state = 'stopping' AND count(s.idx) NOT IN (0, r.slots_needed))

-- name: overdue
-- No state lasts over its budget.
SELECT format('%s (%s) is %s since %s', name, id, state, state_since) AS what FROM reservation
WHERE state <> 'ended' AND state_deadline + interval '60 s' < gpudev_now() AND needs_attention IS NULL

-- name: broken_history
-- The newest entry of the history is the row's state and generation.
SELECT format('%s is %s, generation %s, and its history says otherwise', r.id, r.state, r.generation) AS what
FROM reservation r LEFT JOIN LATERAL (
    SELECT to_state, generation FROM reservation_event e WHERE e.reservation_id = r.id ORDER BY generation DESC LIMIT 1) e ON true
WHERE e.to_state IS DISTINCT FROM r.state OR e.generation IS DISTINCT FROM r.generation

-- name: writers
-- A disk has at most one writer, and a preparing or active reservation has its disk.
SELECT format('disk %s has %s writers', disk_id, count(*)) AS what FROM disk_lease WHERE released_at IS NULL
GROUP BY disk_id HAVING count(*) > 1
UNION ALL
SELECT format('%s is %s without its disk', r.id, r.state) FROM reservation r
WHERE r.disk_id IS NOT NULL AND r.state IN ('preparing', 'active')
  AND NOT EXISTS (SELECT FROM disk_lease l WHERE l.reservation_id = r.id AND l.released_at IS NULL)

-- name: unsafe_deletes
-- A volume of a live disk goes only when a completed snapshot taken after its last detach has its content.
SELECT format('volume %s of disk %s', v.id, v.disk_id) AS what FROM volume v
LEFT JOIN snapshot s ON s.id = v.deletable_snapshot_id
WHERE v.state = 'deleting' AND v.delete_reason = 'snapshotted'
  AND (s.state <> 'completed' OR s.requested_at < v.detached_at)

-- name: leftover_secrets
-- Secret values end with their reservation.
SELECT DISTINCT format('reservation %s', s.reservation_id) AS what FROM reservation_secret s
JOIN reservation r ON r.id = s.reservation_id WHERE r.state = 'ended'

-- name: attention
-- What asked for a person's attention.
SELECT format('reservation %s (%s): %s', name, id, needs_attention) AS what FROM reservation
WHERE state <> 'ended' AND needs_attention IS NOT NULL
UNION ALL
SELECT format('disk %s (%s): %s', name, id, needs_attention) FROM disk WHERE needs_attention IS NOT NULL AND deleted_at IS NULL

-- name: paused
-- Backends on which nothing may be done.
SELECT format('%s: %s', backend, paused) AS what FROM backend_claim WHERE paused IS NOT NULL

-- name: unseen
-- Backends that were not seen for long.
SELECT format('%s was last seen %s: %s', backend, seen_at, COALESCE(trouble, 'no reason known')) AS what FROM inventory
WHERE seen_at < gpudev_now() - interval '5 minutes'
