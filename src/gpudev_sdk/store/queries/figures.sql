-- name: live_states
-- How many reservations are in each state of a life.
SELECT state, count(*) AS reservations FROM reservation WHERE state <> 'ended' GROUP BY state

-- name: slot_counts
-- Slots of each type: there, held, and free to be placed.
SELECT s.backend, s.gpu_type, count(*) FILTER (WHERE s.present) AS total,
    count(*) FILTER (WHERE s.reservation_id IS NOT NULL) AS held,
    count(*) FILTER (WHERE s.present AND n.schedulable AND s.busy_outside IS NULL AND s.reservation_id IS NULL) AS free
FROM gpu_slot s JOIN node n ON n.backend = s.backend AND n.name = s.node
GROUP BY s.backend, s.gpu_type

-- name: ages
-- For how many seconds the oldest of each kind of work waits, 0 where none does. Each is the first entry of an index over what is open,
-- so that none gets slower with the history.
SELECT COALESCE((SELECT extract(epoch FROM gpudev_now() - min(wake_at)) FROM reservation
                 WHERE state <> 'ended' AND wake_at <= gpudev_now()), 0)::float8 AS reservation,
    COALESCE((SELECT extract(epoch FROM gpudev_now() - min(wake_at)) FROM disk WHERE wake_at <= gpudev_now()), 0)::float8 AS disk,
    COALESCE((SELECT extract(epoch FROM gpudev_now() - min(requested_at)) FROM snapshot
              WHERE state IN ('intended', 'pending')), 0)::float8 AS snapshot,
    (SELECT CASE WHEN planned < wanted THEN extract(epoch FROM gpudev_now() - made_at) ELSE 0 END FROM planner)::float8 AS plan,
    (SELECT extract(epoch FROM gpudev_now() - updated_at) FROM served)::float8 AS served

-- name: backend_ages
-- What is known of each backend: since when it was not seen whole, whether something is in the way, and whether it is paused.
SELECT COALESCE(c.backend, i.backend) AS backend, c.paused IS NOT NULL AS paused, i.trouble IS NOT NULL AS trouble,
    extract(epoch FROM gpudev_now() - i.seen_at)::float8 AS unseen
FROM backend_claim c FULL JOIN inventory i ON i.backend = c.backend ORDER BY 1

-- name: table_sizes
-- Bytes of each table of ours with its indexes, and its rows as the server's own counters have them: nothing is counted here.
SELECT relname AS name, pg_total_relation_size(relid) AS bytes, n_live_tup AS live, n_dead_tup AS dead
FROM pg_stat_user_tables WHERE schemaname IN ('public', 'pgmq') ORDER BY relname
