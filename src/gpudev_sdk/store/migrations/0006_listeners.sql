-- How far each listener was told of the history. Numbers are given before commit, so order goes by transaction, and only
-- transactions older than every running one are told of: none can appear later among them.
ALTER TABLE reservation_event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX reservation_event_told ON reservation_event (xid, number);

CREATE TABLE listener_cursor (
    name text PRIMARY KEY,
    xid xid8 NOT NULL,
    number bigint NOT NULL
);
