"""A queue that loses or doubles messages when told to: a trigger on PGMQ's table, with a record of what it did."""

from __future__ import annotations

from tests.journeys.chaos.rig import Rig

SETUP = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.mood (fate text NOT NULL);
INSERT INTO chaos.mood VALUES ('sent');
CREATE TABLE chaos.message (
    number bigint GENERATED ALWAYS AS IDENTITY, fate text, kind text, row_id uuid, epoch bigint
);
CREATE FUNCTION chaos.meddle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    fate text;
BEGIN
    SELECT m.fate INTO fate FROM chaos.mood m;
    IF fate = 'sent' OR pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    INSERT INTO chaos.message (fate, kind, row_id, epoch)
    SELECT fate, NEW.message ->> 'kind', (NEW.message ->> 'id')::uuid,
        (SELECT lease_epoch FROM reservation WHERE id = (NEW.message ->> 'id')::uuid);
    IF fate = 'lost' THEN
        DELETE FROM pgmq.q_work WHERE msg_id = NEW.msg_id;
    ELSE
        PERFORM pgmq.send('work', NEW.message);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_meddle AFTER INSERT ON pgmq.q_work FOR EACH ROW EXECUTE FUNCTION chaos.meddle();
"""
#: Rows whose messages were lost since a number, and that nobody has taken up for it yet.
WAITING = """
SELECT m.row_id FROM chaos.message m JOIN reservation r ON r.id = m.row_id
WHERE m.number > %s AND m.fate = 'lost' AND m.kind = 'reservation' AND r.lease_epoch <= m.epoch
  AND r.state NOT IN ('stopping', 'ended')
"""


class Meddler:
    """Whoever sits between senders and the queue."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        rig.sql(SETUP)

    def have(self, fate: str) -> None:
        """From now on messages are `sent`, `lost` or `doubled`."""
        self._rig.sql("UPDATE chaos.mood SET fate = %s", (fate,))

    def last(self) -> int:
        """Return the number of the last message that was meddled with."""
        return int(self._rig.sql("SELECT COALESCE(max(number), 0) FROM chaos.message")[0][0])

    def lost_since(self, number: int) -> int:
        """Return how many messages about reservations were lost since then."""
        found = self._rig.sql("SELECT count(*) FROM chaos.message WHERE number > %s AND fate = 'lost'", (number,))
        return int(found[0][0])

    def waiting(self, number: int) -> bool:
        """Say whether a reservation whose message was lost since then waits still."""
        return bool(self._rig.sql(WAITING, (number,)))

    def counts(self) -> dict[str, int]:
        """Return how many were lost and doubled in all."""
        return dict(self._rig.sql("SELECT fate, count(*) FROM chaos.message GROUP BY 1"))
