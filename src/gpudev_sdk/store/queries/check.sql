-- name: tables
-- What the laws look at, in one statement and so as of one moment: live rows and those that ended within the hour, what is held
-- or kept and by whom, and what `servers`, `volumes`, `snapshots` and `accepted` name; `whole` reads these reservations as well.
-- Secret values are never read.
WITH recent AS MATERIALIZED (
    SELECT reservation_id, to_state, at FROM reservation_event ORDER BY number DESC LIMIT 1000
), told AS MATERIALIZED (
    SELECT id FROM reservation WHERE state <> 'ended'
    UNION SELECT reservation_id FROM recent WHERE to_state = 'ended' AND at > gpudev_now() - interval '1 hour'
    UNION SELECT unnest(%(whole)s::uuid[])
), slots AS MATERIALIZED (
    SELECT s.backend, s.node, s.gpu_type, s.present, s.busy_outside IS NOT NULL AS busy, n.schedulable, n.zone, n.volumes,
        s.reservation_id,
        array_agg(s.idx ORDER BY s.idx) AS indices
    FROM gpu_slot s JOIN node n ON n.backend = s.backend AND n.name = s.node
    GROUP BY s.backend, s.node, s.gpu_type, s.present, s.busy_outside IS NOT NULL, n.schedulable, n.zone, n.volumes,
        s.reservation_id
), leases AS MATERIALIZED (
    SELECT disk_id, reservation_id, attempt FROM disk_lease WHERE released_at IS NULL
), secrets AS MATERIALIZED (
    SELECT DISTINCT reservation_id FROM reservation_secret
), named AS MATERIALIZED (
    SELECT id, true AS told FROM told
    UNION ALL SELECT id, false FROM (
        SELECT reservation_id AS id FROM slots WHERE reservation_id IS NOT NULL
        UNION SELECT reservation_id FROM leases
        UNION SELECT reservation_id FROM secrets
        UNION SELECT unnest(%(servers)s::uuid[])
        EXCEPT SELECT id FROM told) others
), volumes AS MATERIALIZED (
    SELECT v.id, v.disk_id, v.backend, v.state, v.detached_at, v.deletable_snapshot_id, v.delete_reason
    FROM volume v WHERE v.state <> 'deleted'
    UNION ALL
    SELECT v.id, v.disk_id, v.backend, v.state, v.detached_at, v.deletable_snapshot_id, v.delete_reason
    FROM volume v WHERE v.id = ANY(%(volumes)s::uuid[]) AND v.state = 'deleted'
), snapshots AS MATERIALIZED (
    SELECT s.id, s.disk_id, s.volume_id, s.backend, s.state, s.requested_at, s.completed_at
    FROM snapshot s WHERE s.state <> 'deleted'
    UNION ALL
    SELECT s.id, s.disk_id, s.volume_id, s.backend, s.state, s.requested_at, s.completed_at
    FROM snapshot s WHERE s.state = 'deleted' AND s.id IN (
        SELECT unnest(%(snapshots)s::uuid[])
        UNION ALL SELECT deletable_snapshot_id FROM volumes WHERE state = 'deleting'
        UNION ALL SELECT restore_from FROM disk WHERE restore_from IS NOT NULL AND purged_at IS NULL)
), disks AS MATERIALIZED (
    SELECT d.id, d.owner_id, d.name, d.volume_id, d.restore_from, d.deleted_at, d.purge_at, d.purged_at, d.needs_attention
    FROM disk d WHERE d.purged_at IS NULL OR d.id IN (
        SELECT disk_id FROM volumes UNION ALL SELECT disk_id FROM snapshots UNION ALL SELECT disk_id FROM leases)
)
SELECT json_build_object(
    'as_of', gpudev_now(),
    'reservations', (SELECT COALESCE(json_agg(row_to_json(x)), '[]') FROM (
        SELECT r.id, r.owner_id, r.name, r.state, r.generation, r.attempt, r.seq, r.priority, r.gpu_type, r.gpus, r.slots_needed, r.nodes,
            extract(epoch FROM r.granted) AS granted, (r.request ->> 'duration')::float8 AS asked,
            r.request ->> 'backend' AS wished_backend, r.request ->> 'disk' AS wished_disk, r.created_at, r.state_since,
            r.state_deadline, r.started_at, r.expires_at, r.ended_at, r.cancel_requested_at, r.end_reason, r.detail, r.end_detail,
            r.needs_attention, r.backend, r.node, r.launch_intended_at, r.gone_at, r.down_since, r.disk_id, r.volume_id,
            r.detached_at, r.disk_released_at, r.retry_at, r.wake_at, n.told
        FROM named n JOIN reservation r ON r.id = n.id ORDER BY r.seq) x),
    'events', (SELECT COALESCE(json_agg(row_to_json(x)), '[]') FROM (
        SELECT e.reservation_id, e.generation, e.what, e.from_state, e.to_state, e.detail, e.actor, e.at
        FROM told t JOIN reservation_event e ON e.reservation_id = t.id ORDER BY e.reservation_id, e.generation) x),
    'warnings', (SELECT COALESCE(json_agg(row_to_json(x)), '[]') FROM (
        SELECT w.reservation_id, w.threshold, w.expires_at, w.gaps, w.at
        FROM told t JOIN warning w ON w.reservation_id = t.id) x),
    'slots', (SELECT COALESCE(json_agg(row_to_json(slots)), '[]') FROM slots),
    'leases', (SELECT COALESCE(json_agg(row_to_json(leases)), '[]') FROM leases),
    'disks', (SELECT COALESCE(json_agg(row_to_json(disks)), '[]') FROM disks),
    'volumes', (SELECT COALESCE(json_agg(row_to_json(volumes)), '[]') FROM volumes),
    'snapshots', (SELECT COALESCE(json_agg(row_to_json(snapshots)), '[]') FROM snapshots),
    'users', (SELECT COALESCE(json_agg(row_to_json(x)), '[]') FROM (SELECT id, name, is_admin FROM app_user) x),
    'backends', (SELECT COALESCE(json_agg(row_to_json(x)), '[]') FROM (
        SELECT COALESCE(c.backend, i.backend) AS name, c.paused, i.seen_at, i.trouble
        FROM backend_claim c FULL JOIN inventory i ON i.backend = c.backend) x),
    'types', (SELECT COALESCE(json_agg(json_build_array(backend, name)), '[]') FROM gpu_type),
    'secrets', (SELECT COALESCE(json_agg(reservation_id), '[]') FROM secrets),
    'accepted', (SELECT COALESCE(json_agg(row_to_json(x)), '[]') FROM (
        SELECT r.id AS reservation_id, u.name AS owner, r.idempotency_key, encode(r.request_digest, 'hex') AS request_digest
        FROM reservation r JOIN app_user u ON u.id = r.owner_id WHERE r.id = ANY(%(accepted)s::uuid[])) x)
)::text AS tables

-- name: everything
-- The ids of all reservations, volumes and snapshots there ever were.
SELECT (SELECT COALESCE(array_agg(id), '{}') FROM reservation) AS whole,
    (SELECT COALESCE(array_agg(id), '{}') FROM volume) AS volumes,
    (SELECT COALESCE(array_agg(id), '{}') FROM snapshot) AS snapshots

-- name: texts
-- Every text of the database that people, processors or logs get to see.
SELECT format('reservation %s', id) AS where, concat_ws(' ', request::text, detail, end_detail, needs_attention, endpoint) AS text
FROM reservation
UNION ALL SELECT format('the history of %s', reservation_id), concat_ws(' ', what, detail, actor) FROM reservation_event
UNION ALL SELECT format('the plan of %s', reservation_id), waiting_for FROM plan
UNION ALL SELECT format('disk %s', id), concat_ws(' ', name, needs_attention) FROM disk
UNION ALL SELECT format('snapshot %s', id), trouble FROM snapshot WHERE trouble IS NOT NULL
UNION ALL SELECT format('message %s', msg_id), message::text FROM pgmq.q_work
UNION ALL SELECT format('archived message %s', msg_id), message::text FROM pgmq.a_work
UNION ALL SELECT format('audit entry %s', number), concat_ws(' ', actor, via, action, object) FROM audit_event
