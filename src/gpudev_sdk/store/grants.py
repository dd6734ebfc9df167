"""Gives each service role what it needs and no more; applied again whenever the file or the roles changed."""

from __future__ import annotations

import hashlib
import importlib.resources

from gpudev_sdk.store import bell, pgmq
from gpudev_sdk.store.rows import Conn

#: Whether each role that uses the queue also reads from it.
QUEUE_ROLES = {"gpudev_api": False, "gpudev_engine": True}
#: Counted up when the rights that `pgmq.grant` gives become others.
QUEUE_RIGHTS = 2


def apply(conn: Conn, *, keep: bool = False) -> bool:
    """Apply `grants.sql` and the rights on the queue, unless that was done for the roles that exist; say whether it was.

    With `keep`, what a newer version gave stays: this code's rights would take away what that one needs.
    """
    text = (importlib.resources.files("gpudev_sdk.store") / "grants.sql").read_bytes()
    rows = conn.execute(r"SELECT rolname FROM pg_roles WHERE rolname LIKE 'gpudev\_%' ORDER BY rolname").fetchall()
    roles = [row["rolname"] for row in rows]
    newest = conn.execute("SELECT max(number) AS number FROM schema_migration").fetchone()
    wanted = hashlib.sha256(text + repr((roles, newest, QUEUE_ROLES, QUEUE_RIGHTS)).encode()).hexdigest()
    noted = conn.execute("SELECT version FROM schema_note WHERE what = 'grants'").fetchone()
    if noted is not None and (keep or noted["version"] == wanted):
        return False
    conn.execute(text)
    for role, reads in QUEUE_ROLES.items():
        if role in roles:
            pgmq.grant(conn, bell.QUEUE, role, reads=reads)
    conn.execute(
        "INSERT INTO schema_note (what, version) VALUES ('grants', %s)"
        " ON CONFLICT (what) DO UPDATE SET version = excluded.version, noted_at = excluded.noted_at",
        (wanted,),
    )
    return True
