-- name: begin_listening
-- A new listener is told of what happens from now on.
INSERT INTO listener_cursor (name, xid, number) VALUES (%(name)s, pg_snapshot_xmin(pg_current_snapshot()), 0)
ON CONFLICT DO NOTHING

-- name: untold
-- The next events for a listener, in an order in which none can appear later.
SELECT e.xid::text AS xid, e.number, e.reservation_id, e.what, e.from_state, e.to_state, e.detail, e.actor, e.at
FROM reservation_event e JOIN listener_cursor c ON c.name = %(name)s
WHERE (e.xid, e.number) > (c.xid, c.number) AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY e.xid, e.number LIMIT %(limit)s

-- name: told
-- Remember how far a listener is.
UPDATE listener_cursor SET xid = %(xid)s::text::xid8, number = %(number)s WHERE name = %(name)s
