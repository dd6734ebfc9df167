-- What must never happen to a row, whoever writes it: moves, ends, deletions, and who holds what at commit.

CREATE FUNCTION reservation_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'queued' OR NEW.generation <> 1 OR NEW.attempt <> 1 OR NEW.started_at IS NOT NULL THEN
        RAISE EXCEPTION 'a reservation begins in line' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reservation_begins BEFORE INSERT ON reservation FOR EACH ROW EXECUTE FUNCTION reservation_begins();

CREATE FUNCTION reservation_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'ended' THEN
        RAISE EXCEPTION 'an ended reservation never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('queued', 'preparing'), ('queued', 'stopping'), ('preparing', 'active'), ('preparing', 'stopping'),
        ('active', 'stopping'), ('stopping', 'queued'), ('stopping', 'ended')) THEN
        RAISE EXCEPTION 'no move from % to %', OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND NEW.generation <> OLD.generation + 1 THEN
        RAISE EXCEPTION 'a move raises the generation by one' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.generation NOT IN (OLD.generation, OLD.generation + 1) OR NEW.id <> OLD.id OR NEW.seq <> OLD.seq
       OR NEW.request <> OLD.request OR NEW.owner_id <> OLD.owner_id OR NEW.slots_needed <> OLD.slots_needed
       OR NEW.gpu_type <> OLD.gpu_type OR NEW.lease_epoch < OLD.lease_epoch THEN
        RAISE EXCEPTION 'seq, request and owner stay, generation and epoch only rise' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.attempt <> OLD.attempt + (CASE WHEN OLD.state = 'stopping' AND NEW.state = 'queued' THEN 1 ELSE 0 END) THEN
        RAISE EXCEPTION 'each return to the line is one more attempt' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.end_reason IS NOT NULL AND NEW.end_reason IS DISTINCT FROM OLD.end_reason THEN
        RAISE EXCEPTION 'the reason of an end is decided once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reservation_moves BEFORE UPDATE ON reservation FOR EACH ROW EXECUTE FUNCTION reservation_moves();

CREATE FUNCTION gpudev_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER reservation_never_deleted BEFORE DELETE OR TRUNCATE ON reservation
    FOR EACH STATEMENT EXECUTE FUNCTION gpudev_never_deleted();
CREATE TRIGGER disk_never_deleted BEFORE DELETE OR TRUNCATE ON disk
    FOR EACH STATEMENT EXECUTE FUNCTION gpudev_never_deleted();
CREATE TRIGGER volume_never_deleted BEFORE DELETE OR TRUNCATE ON volume
    FOR EACH STATEMENT EXECUTE FUNCTION gpudev_never_deleted();
CREATE TRIGGER snapshot_never_deleted BEFORE DELETE OR TRUNCATE ON snapshot
    FOR EACH STATEMENT EXECUTE FUNCTION gpudev_never_deleted();

-- A volume that is marked is never mountable again, and is marked only when that loses nothing.
CREATE FUNCTION volume_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (('intended', 'ready'), ('intended', 'deleting'), ('ready', 'deleting'),
                                      ('deleting', 'deleted')) THEN
        RAISE EXCEPTION 'a volume does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'deleting' AND NEW.delete_reason = 'snapshotted' AND NOT EXISTS (
           SELECT FROM snapshot s WHERE s.id = NEW.deletable_snapshot_id AND s.volume_id = NEW.id
           AND s.state = 'completed' AND s.requested_at > NEW.detached_at)
       OR NEW.state = 'deleting' AND NEW.delete_reason = 'disk-deleted' AND NOT EXISTS (
           SELECT FROM disk d WHERE d.id = NEW.disk_id AND d.purge_at <= gpudev_now())
       OR NEW.state = 'deleting' AND NEW.delete_reason = 'never-used' AND NEW.detached_at IS NOT NULL
       OR NEW.state = 'deleting' AND EXISTS (
           SELECT FROM disk_lease l WHERE l.disk_id = NEW.disk_id AND l.released_at IS NULL) THEN
        RAISE EXCEPTION 'volume % holds what no completed snapshot has, or is in use', NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER volume_moves BEFORE UPDATE OF state ON volume FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION volume_moves();

-- The newest good snapshot of a live disk, and one it is to be restored from, is never let go.
CREATE FUNCTION snapshot_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'deleted' OR (OLD.state = 'deleting' AND NEW.state <> 'deleted') THEN
        RAISE EXCEPTION 'a snapshot does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'completed' AND NEW.state IN ('deleting', 'deleted') AND EXISTS (
           SELECT FROM disk d WHERE d.id = OLD.disk_id AND d.deleted_at IS NULL AND (d.restore_from = OLD.id OR NOT EXISTS (
               SELECT FROM snapshot s WHERE s.disk_id = OLD.disk_id AND s.state = 'completed'
               AND (s.requested_at, s.id) > (OLD.requested_at, OLD.id)))) THEN
        RAISE EXCEPTION 'snapshot % is the newest good copy of its disk', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER snapshot_moves BEFORE UPDATE OF state ON snapshot FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION snapshot_moves();

-- At commit: a preparing or active reservation holds exactly its slots and its disk; a queued or ended one holds nothing; one
-- whose box may still run keeps its slots. And every generation has its entry in the history.
CREATE FUNCTION reservation_holdings(wanted uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    held int;
    elsewhere int;
    leases int;
    foreign_leases int;
BEGIN
    SELECT * INTO r FROM reservation WHERE id = wanted;
    SELECT count(*), count(*) FILTER (WHERE (s.backend, s.node, s.gpu_type) IS DISTINCT FROM (r.backend, r.node, r.gpu_type))
        INTO held, elsewhere FROM gpu_slot s WHERE s.reservation_id = wanted;
    SELECT count(*), count(*) FILTER (WHERE l.disk_id IS DISTINCT FROM r.disk_id)
        INTO leases, foreign_leases FROM disk_lease l WHERE l.reservation_id = wanted AND l.released_at IS NULL;
    IF elsewhere > 0
       OR (r.state IN ('preparing', 'active') AND held <> r.slots_needed)
       OR (r.state IN ('queued', 'ended') AND held <> 0)
       OR (r.state = 'stopping' AND held NOT IN (0, r.slots_needed))
       OR (r.state = 'stopping' AND held = 0 AND r.gone_at IS NULL AND r.launch_intended_at IS NOT NULL) THEN
        RAISE EXCEPTION 'reservation % is % and holds % of % slots (% elsewhere)',
            wanted, r.state, held, r.slots_needed, elsewhere USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF foreign_leases > 0
       OR (r.state IN ('preparing', 'active') AND leases <> (CASE WHEN r.disk_id IS NULL THEN 0 ELSE 1 END))
       OR (r.state IN ('queued', 'ended') AND leases <> 0) THEN
        RAISE EXCEPTION 'reservation % is % and holds % disks (% not its own)', wanted, r.state, leases, foreign_leases
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END $$;
CREATE FUNCTION reservation_holdings_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM reservation_holdings(NEW.id);
    IF NOT EXISTS (SELECT FROM reservation r JOIN reservation_event e ON e.reservation_id = r.id
                   AND e.generation = r.generation AND e.to_state = r.state WHERE r.id = NEW.id) THEN
        RAISE EXCEPTION 'reservation % changed without an entry in its history', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION reservation_holdings_of_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.reservation_id IS NOT NULL THEN
        PERFORM reservation_holdings(OLD.reservation_id);
    END IF;
    IF NEW.reservation_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.reservation_id IS DISTINCT FROM OLD.reservation_id) THEN
        PERFORM reservation_holdings(NEW.reservation_id);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER reservation_holds AFTER INSERT OR UPDATE OF state, generation ON reservation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION reservation_holdings_of_row();
CREATE CONSTRAINT TRIGGER gpu_slot_held AFTER INSERT OR UPDATE OF reservation_id ON gpu_slot
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION reservation_holdings_of_part();
CREATE CONSTRAINT TRIGGER disk_leased AFTER INSERT OR UPDATE OF released_at ON disk_lease
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION reservation_holdings_of_part();
