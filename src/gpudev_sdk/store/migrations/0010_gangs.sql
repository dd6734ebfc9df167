-- A reservation of several nodes: so many whole nodes of one backend and zone, all or none. `slots_needed` is what it holds of
-- each, `node` is the first of them. What was there before has one node.

ALTER TABLE reservation ADD COLUMN nodes int NOT NULL DEFAULT 1 CHECK (nodes > 0);
ALTER TABLE gpu_type ADD COLUMN gang boolean NOT NULL DEFAULT false;

CREATE FUNCTION reservation_nodes_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'how many nodes a reservation has stays' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER reservation_nodes_stay BEFORE UPDATE ON reservation FOR EACH ROW
    WHEN (OLD.nodes <> NEW.nodes) EXECUTE FUNCTION reservation_nodes_stay();

-- As in 0005, and for each of its nodes.
CREATE OR REPLACE FUNCTION reservation_holdings(wanted uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    held int;
    elsewhere int;
    parts int;
    uneven int;
    leases int;
    foreign_leases int;
BEGIN
    SELECT * INTO r FROM reservation WHERE id = wanted;
    SELECT COALESCE(sum(p.slots), 0), count(*), count(*) FILTER (WHERE p.slots <> r.slots_needed),
           COALESCE(sum(p.slots) FILTER (WHERE (p.backend, p.gpu_type) IS DISTINCT FROM (r.backend, r.gpu_type)), 0)
        INTO held, parts, uneven, elsewhere FROM (
        SELECT s.backend, s.node, s.gpu_type, count(*) AS slots FROM gpu_slot s WHERE s.reservation_id = wanted
        GROUP BY s.backend, s.node, s.gpu_type) p;
    IF held > 0 AND NOT EXISTS (SELECT FROM gpu_slot s WHERE s.reservation_id = wanted AND s.node = r.node) THEN
        elsewhere := held;
    END IF;
    IF elsewhere > 0 OR uneven > 0 OR parts NOT IN (0, r.nodes)
       OR (r.state IN ('preparing', 'active') AND parts = 0)
       OR (r.state IN ('queued', 'ended') AND parts <> 0)
       OR (r.state = 'stopping' AND parts = 0 AND r.gone_at IS NULL AND r.launch_intended_at IS NOT NULL) THEN
        RAISE EXCEPTION 'reservation % is % and holds % of % slots on % of % nodes (% elsewhere)',
            wanted, r.state, held, r.slots_needed * r.nodes, parts, r.nodes, elsewhere
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT count(*), count(*) FILTER (WHERE l.disk_id IS DISTINCT FROM r.disk_id)
        INTO leases, foreign_leases FROM disk_lease l WHERE l.reservation_id = wanted AND l.released_at IS NULL;
    IF foreign_leases > 0
       OR (r.state IN ('preparing', 'active') AND leases <> (CASE WHEN r.disk_id IS NULL THEN 0 ELSE 1 END))
       OR (r.state IN ('queued', 'ended') AND leases <> 0) THEN
        RAISE EXCEPTION 'reservation % is % and holds % disks (% not its own)', wanted, r.state, leases, foreign_leases
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END $$;

-- One zone, looked at when the slots are given: a node whose zone is written otherwise later must not stop the work on a row.
CREATE FUNCTION reservation_zone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT r.nodes FROM reservation r WHERE r.id = NEW.reservation_id) > 1
       AND (SELECT count(DISTINCT n.zone) FROM gpu_slot s JOIN node n ON n.backend = s.backend AND n.name = s.node
            WHERE s.reservation_id = NEW.reservation_id) > 1 THEN
        RAISE EXCEPTION 'reservation % holds slots in several zones', NEW.reservation_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER gpu_slot_zone AFTER UPDATE OF reservation_id ON gpu_slot DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.reservation_id IS NOT NULL AND NEW.reservation_id IS DISTINCT FROM OLD.reservation_id)
    EXECUTE FUNCTION reservation_zone();
