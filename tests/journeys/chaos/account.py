"""The account at the end: everything acknowledged is there as it was asked for, and nothing else is left."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.journeys.chaos.ledger import Ledger
from tests.journeys.chaos.rig import Rig

ROWS = """
SELECT id::text, idempotency_key, request, state, extract(epoch FROM granted)::bigint,
    (cancel_requested_at IS NOT NULL), end_reason FROM reservation
"""
LEFT = {
    "slots held": "SELECT count(*) FROM gpu_slot WHERE reservation_id IS NOT NULL",
    "disks held": "SELECT count(*) FROM disk_lease WHERE released_at IS NULL",
    "secrets kept": "SELECT count(*) FROM reservation_secret",
    "messages unread": "SELECT count(*) FROM pgmq.q_work",
    "plans kept": "SELECT count(*) FROM plan",
}
AFTER_CANCEL = """
SELECT DISTINCT e.reservation_id::text FROM reservation_event e JOIN reservation_event c USING (reservation_id)
WHERE c.what = 'cancel' AND e.to_state = 'active' AND e.from_state <> 'active' AND e.generation > c.generation
"""


def lost(rig: Rig, ledger: Ledger) -> list[str]:
    """Return, in sentences, what was acknowledged and is not there, or is not what it should be."""
    rows = {row[0]: row for row in rig.sql(ROWS)}
    by_key = Counter(row[1] for row in rows.values())
    said = [f"the key {key} has {count} reservations" for key, count in by_key.items() if count > 1]
    for entry in ledger.entries("reserved"):
        said += _reserved(rows.get(entry["id"]), entry)
    sent = {entry["key"] for entry in ledger.entries("sent")}
    said += [f"nobody asked for {row[0]}" for row in rows.values() if row[1] not in sent]
    said += [f"{row[0]} is {row[3]} still" for row in rows.values() if row[3] != "ended"]
    for entry in ledger.entries("cancelled"):
        row = rows.get(entry["id"])
        if row is not None and not row[5] and row[6] is None:
            said.append(f"the cancel of {entry['id']} is lost")
    said += [f"{row[0]} became active after its cancel" for row in rig.sql(AFTER_CANCEL)]
    return said + _extensions(rows, ledger)


def _reserved(row: tuple[Any, ...] | None, entry: dict[str, Any]) -> list[str]:
    if row is None:
        return [f"{entry['id']} was acknowledged and is not there"]
    request, body = row[2], entry["body"]
    wanted = {"gpu_type": body["gpu_type"], "gpus": body["gpus"], "disk": body.get("disk"), "name": body.get("name")}
    wanted["duration"] = body["duration_seconds"]
    found = {name: request[name] for name in wanted}
    if row[1] != entry["key"] or found != wanted:
        return [f"{entry['id']} was asked for as {wanted} with {entry['key']} and is {found} with {row[1]}"]
    return []


def _extensions(rows: dict[str, tuple[Any, ...]], ledger: Ledger) -> list[str]:
    """What was granted is at least what was acknowledged, and at most what was asked for."""
    asked, granted = (_sums(ledger, what) for what in ("extending", "extended"))
    shortened = {entry["id"] for entry in ledger.entries("shortened")}
    said = []
    for row in (row for row in rows.values() if row[0] not in shortened):
        more = row[4] - row[2]["duration"]
        if not granted[row[0]] <= more <= asked[row[0]]:
            said.append(f"{row[0]} was given {more} s more; {granted[row[0]]} acknowledged, {asked[row[0]]} asked for")
    return said


def _sums(ledger: Ledger, what: str) -> Counter[str]:
    sums: Counter[str] = Counter()
    for entry in ledger.entries(what):
        sums[entry["id"]] += entry["seconds"]
    return sums


def left_over(rig: Rig) -> list[str]:
    """Return what is still held, though everything has ended: in the tables, as processes, as folders."""
    said = [f"{count} {what}" for what, query in LEFT.items() if (count := rig.sql(query)[0][0])]
    said += [f"a box's process {pid} lives" for pid in rig.processes_of_boxes()]
    folders = (rig.install.data / "backends" / "local" / "boxes").glob("*/*")
    return said + [f"the folder of the box {folder.name} is there" for folder in folders]
