-- name: insert_disk
-- A new disk; its volume comes with its first use.
INSERT INTO disk (id, owner_id, name, size_bytes) VALUES (%(id)s, %(owner_id)s, %(name)s, %(size_bytes)s)

-- name: find_disk
-- One live disk by its owner and name, or a deleted one that can be had back.
SELECT d.*, gpudev_now() AS now FROM disk d
WHERE d.owner_id = %(owner_id)s AND d.name = %(name)s AND d.purged_at IS NULL AND (d.deleted_at IS NULL) = %(live)s
ORDER BY d.created_at DESC LIMIT 1

-- name: find_disk_by_id
-- One disk, and why we must not act where it is.
SELECT d.*, u.number AS owner_number, u.name AS owner, gpudev_now() AS now,
    (SELECT c.paused FROM backend_claim c WHERE c.backend = d.backend) AS paused
FROM disk d JOIN app_user u ON u.id = d.owner_id WHERE d.id = %(id)s

-- name: list_disks
-- A person's disks with who has them.
SELECT d.*, h.name AS holder, h.state AS holder_state,
    (SELECT count(*) FROM snapshot s WHERE s.disk_id = d.id AND s.state = 'completed') AS snapshots
FROM disk d LEFT JOIN LATERAL (
    SELECT r.name, r.state FROM reservation r WHERE r.disk_id = d.id AND r.state <> 'ended'
    ORDER BY (r.state = 'stopping'), r.seq LIMIT 1) h ON true
WHERE d.owner_id = %(owner_id)s AND d.purged_at IS NULL AND (%(deleted)s OR d.deleted_at IS NULL)
  AND (%(name)s::text IS NULL OR d.name = %(name)s)
ORDER BY d.deleted_at IS NOT NULL, d.name

-- name: count_disks
-- How many disks one person has.
SELECT count(*) AS disks FROM disk WHERE owner_id = %(owner_id)s AND deleted_at IS NULL

-- name: delete_disk
-- Put a disk away; it can be had back until it is purged.
UPDATE disk SET deleted_at = gpudev_now(), purge_at = gpudev_now() + %(keep)s, wake_at = gpudev_now(),
    generation = generation + 1
WHERE id = %(id)s AND deleted_at IS NULL

-- name: undelete_disk
-- Have a disk back.
UPDATE disk SET deleted_at = NULL, purge_at = NULL, wake_at = gpudev_now(), generation = generation + 1
WHERE id = %(id)s AND deleted_at IS NOT NULL AND purged_at IS NULL AND purge_at > gpudev_now()

-- name: place_disk
-- A disk lives where its newest volume does; how far that reaches is copied from it by a trigger.
UPDATE disk SET backend = %(backend)s, node = %(node)s, volume_id = %(volume_id)s, restore_from = NULL,
    generation = generation + 1
WHERE id = %(id)s AND generation = %(generation)s

-- name: restore_disk
-- From its next use on, the disk's content is the snapshot's.
UPDATE disk SET restore_from = %(snapshot_id)s, volume_id = NULL, generation = generation + 1
WHERE id = %(id)s AND generation = %(generation)s

-- name: use_disk
-- Note that a disk was used, and how full it is.
UPDATE disk SET last_used_at = gpudev_now(), used_bytes = COALESCE(%(used_bytes)s, used_bytes),
    needs_attention = COALESCE(%(needs_attention)s, needs_attention), wake_at = gpudev_now(), generation = generation + 1
WHERE id = %(id)s

-- name: take_disk
-- Become the one writer.
INSERT INTO disk_lease (disk_id, reservation_id, attempt) VALUES (%(disk_id)s, %(reservation_id)s, %(attempt)s)

-- name: release_disk
-- Let others write.
UPDATE disk_lease SET released_at = gpudev_now()
WHERE disk_id = %(disk_id)s AND reservation_id = %(reservation_id)s AND released_at IS NULL

-- name: held_disks
-- Disks that have a writer.
SELECT disk_id, reservation_id FROM disk_lease WHERE released_at IS NULL

-- name: insert_volume
-- Intend a volume; its id is its name outside.
INSERT INTO volume (id, disk_id, backend, node, zone, reach, state, from_snapshot_id)
VALUES (%(id)s, %(disk_id)s, %(backend)s, %(node)s,
    COALESCE((SELECT n.zone FROM node n WHERE n.backend = %(backend)s AND n.name = %(node)s), 'local'), %(reach)s, 'intended',
    %(from_snapshot_id)s)

-- name: find_volume
-- One volume.
SELECT v.*, d.id AS disk FROM volume v JOIN disk d ON d.id = v.disk_id WHERE v.id = %(id)s

-- name: volumes_of
-- All volumes of a disk.
SELECT * FROM volume WHERE disk_id = %(disk_id)s AND state <> 'deleted' ORDER BY created_at

-- name: volume_ready
-- The volume was seen.
UPDATE volume SET state = 'ready', handle = %(handle)s WHERE id = %(id)s AND state = 'intended'

-- name: note_volume_handle
-- Remember what the cloud calls it, as soon as it said so.
UPDATE volume SET handle = %(handle)s WHERE id = %(id)s AND state IN ('intended', 'ready')

-- name: volume_detached
-- The volume has no writer now.
UPDATE volume SET detached_at = gpudev_now() WHERE id = %(id)s

-- name: volume_deleting
-- Mark a volume as never mountable again, with what makes that safe.
UPDATE volume SET state = 'deleting', delete_reason = %(reason)s, deletable_snapshot_id = %(snapshot_id)s
WHERE id = %(id)s AND state IN ('intended', 'ready')

-- name: volume_deleted
-- The volume was seen gone.
UPDATE volume SET state = 'deleted' WHERE id = %(id)s AND state = 'deleting'

-- name: insert_snapshot
-- Intend a snapshot; its id is its name outside.
INSERT INTO snapshot (id, disk_id, volume_id, backend, state, reason)
VALUES (%(id)s, %(disk_id)s, %(volume_id)s, %(backend)s, 'intended', %(reason)s)

-- name: find_snapshot
-- One snapshot.
SELECT * FROM snapshot WHERE id = %(id)s

-- name: snapshots_of
-- A disk's snapshots, newest first.
SELECT * FROM snapshot WHERE disk_id = %(disk_id)s AND state <> 'deleted' ORDER BY requested_at DESC, id DESC

-- name: tried_snapshots
-- How often the end of a reservation tried to take one.
SELECT count(*) AS tries FROM snapshot WHERE volume_id = %(volume_id)s AND reason = 'end' AND requested_at >= %(since)s

-- name: note_snapshot
-- What became of a snapshot.
UPDATE snapshot SET state = %(state)s, handle = COALESCE(%(handle)s, handle), trouble = %(trouble)s,
    size_bytes = COALESCE(%(size_bytes)s, size_bytes),
    completed_at = CASE WHEN %(state)s = 'completed' THEN COALESCE(completed_at, gpudev_now()) ELSE completed_at END
WHERE id = %(id)s AND state NOT IN ('deleting', 'deleted')

-- name: snapshot_going
-- Mark a snapshot as never to be restored from again, or as gone.
UPDATE snapshot SET state = %(state)s WHERE id = %(id)s

-- name: lease_disk_row
-- Become the one who works on a disk. It is awake from now on, so that somebody takes it up should its worker die.
UPDATE disk SET lease_holder = %(holder)s, lease_epoch = lease_epoch + 1, lease_until = gpudev_now() + %(ttl)s,
    wake_at = COALESCE(wake_at, gpudev_now())
WHERE id = %(id)s AND (lease_until IS NULL OR lease_until < gpudev_now()) RETURNING lease_epoch

-- name: rest_disk
-- Let go of a disk until `delay` from now (NULL: until something happens), unless something was wished of it meanwhile.
UPDATE disk SET lease_holder = NULL, lease_until = NULL, wake_at = gpudev_now() + %(delay)s::interval
WHERE id = %(id)s AND lease_epoch = %(epoch)s AND generation = %(generation)s

-- name: wish_of_disk
-- Have a disk looked at now, and whoever works on it look again.
UPDATE disk SET generation = generation + 1, wake_at = gpudev_now() WHERE id = %(id)s

-- name: leave_place
-- Have a disk's volume given up as soon as a snapshot has all of it.
UPDATE disk SET leaving = true, generation = generation + 1, wake_at = gpudev_now() WHERE id = %(id)s

-- name: lock_disk
-- Let nobody wish anything of a disk, or take it, until this transaction ends. What is so is read by later statements.
SELECT id FROM disk WHERE id = %(id)s FOR UPDATE

-- name: disk_as_locked
-- What a lock was waited for to see.
SELECT generation, lease_epoch, EXISTS (SELECT FROM disk_lease l WHERE l.disk_id = d.id AND l.released_at IS NULL) AS held
FROM disk d WHERE id = %(id)s

-- name: attend_disk
-- Flag a disk for a person's attention.
UPDATE disk SET needs_attention = %(why)s WHERE id = %(id)s

-- name: calm_disk
-- What a person was to look at is over.
UPDATE disk SET needs_attention = NULL WHERE id = %(id)s AND starts_with(needs_attention, %(why)s)

-- name: purge_disk
-- Nothing of the disk is left outside.
UPDATE disk SET purged_at = gpudev_now(), volume_id = NULL, wake_at = NULL WHERE id = %(id)s AND deleted_at IS NOT NULL

-- name: all_volumes
-- Every volume of a backend that should exist.
SELECT id, disk_id, state FROM volume WHERE backend = %(backend)s AND state <> 'deleted'

-- name: all_snapshots
-- Every snapshot of a backend that should exist.
SELECT id, disk_id, state FROM snapshot WHERE backend = %(backend)s AND state <> 'deleted'

-- name: rest_disk_after_trouble
-- Let go of a disk after an error, to be tried again later.
UPDATE disk SET lease_holder = NULL, lease_until = NULL, wake_at = gpudev_now() + %(delay)s
WHERE id = %(id)s AND lease_holder = %(holder)s AND %(detail)s::text IS NOT NULL

-- name: forget_volume
-- A disk without its volume is brought back from the snapshot that has its content.
UPDATE disk SET volume_id = NULL, restore_from = %(restore_from)s, leaving = false, generation = generation + 1
WHERE id = %(id)s AND volume_id = %(volume_id)s
