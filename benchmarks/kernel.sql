-- The bare SQL of an allocation, without anything around it: one decision at a time under a lock, slots and row by
-- compare-and-set. 1,600 GPUs on 200 nodes and 20,000 in line, as in the design's invariants.
CREATE SCHEMA kernel;
CREATE TABLE kernel.reservation (id bigint PRIMARY KEY, n int NOT NULL, state text NOT NULL, generation bigint NOT NULL);
CREATE INDEX ON kernel.reservation (id) WHERE state = 'queued';
CREATE INDEX ON kernel.reservation (id) WHERE state = 'allocated';
CREATE TABLE kernel.gpu_slot (node int, idx int, res bigint REFERENCES kernel.reservation, PRIMARY KEY (node, idx));
CREATE INDEX ON kernel.gpu_slot (res) WHERE res IS NOT NULL;
INSERT INTO kernel.reservation SELECT g, 1 + g % 8, 'queued', 1 FROM generate_series(1, 20000) g;
INSERT INTO kernel.gpu_slot SELECT node, idx, NULL FROM generate_series(1, 200) node, generate_series(0, 7) idx;

CREATE FUNCTION kernel.allocate() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    place int;
    changed int;
BEGIN
    PERFORM pg_advisory_xact_lock(1);
    SELECT id, n INTO r FROM kernel.reservation WHERE state = 'queued' ORDER BY id LIMIT 1 FOR UPDATE;
    SELECT node INTO place FROM kernel.gpu_slot WHERE res IS NULL GROUP BY node HAVING count(*) >= r.n
        ORDER BY count(*), node LIMIT 1;
    IF place IS NULL THEN
        RETURN;
    END IF;
    UPDATE kernel.gpu_slot SET res = r.id WHERE node = place AND res IS NULL
        AND idx IN (SELECT idx FROM kernel.gpu_slot WHERE node = place AND res IS NULL ORDER BY idx LIMIT r.n);
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed <> r.n THEN
        RAISE EXCEPTION 'held % of %', changed, r.n;
    END IF;
    UPDATE kernel.reservation SET state = 'allocated', generation = generation + 1 WHERE id = r.id AND state = 'queued';
END $$;

CREATE FUNCTION kernel.free() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    done bigint;
BEGIN
    SELECT id INTO done FROM kernel.reservation WHERE state = 'allocated' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
    UPDATE kernel.gpu_slot SET res = NULL WHERE res = done;
    UPDATE kernel.reservation SET state = 'ended', generation = generation + 1 WHERE id = done;
END $$;
