-- How far from where it was made a volume can be mounted, as its storage said when it was made: on its node, in its zone, or in all
-- of its backend. A disk lies where its newest volume does. What was there before, or is made by an older process, stays at its node.

ALTER TABLE volume ADD COLUMN reach text NOT NULL DEFAULT 'node' CHECK (reach IN ('node', 'zone', 'backend'));
ALTER TABLE disk ADD COLUMN reach text NOT NULL DEFAULT 'node' CHECK (reach IN ('node', 'zone', 'backend'));
ALTER TABLE disk ADD COLUMN zone text;
-- Its owner wants it free of its place: its volume is given up as soon as a snapshot has all of it.
ALTER TABLE disk ADD COLUMN leaving boolean NOT NULL DEFAULT false;

CREATE FUNCTION disk_lies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT v.reach, v.zone, false INTO NEW.reach, NEW.zone, NEW.leaving FROM volume v WHERE v.id = NEW.volume_id;
    RETURN NEW;
END $$;
CREATE TRIGGER disk_lies BEFORE UPDATE OF volume_id ON disk FOR EACH ROW
    WHEN (NEW.volume_id IS NOT NULL AND NEW.volume_id IS DISTINCT FROM OLD.volume_id) EXECUTE FUNCTION disk_lies();
