"""I-2, I-9 and I-11: what was acknowledged is kept, only owners and admins act, and nobody is over the limits."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

from gpudev_sdk.engine.check.values import REPORT, Case, Violation


def nothing_accepted_is_lost(case: Case) -> Iterator[Violation]:
    """I-2: every request that a client was told of is there, and is the one that was asked for."""
    kept = {row.reservation_id: row for row in case.tables.accepted}
    for told in case.world.record.acknowledged if case.world.record else ():
        row = kept.get(told.reservation_id)
        why = None
        if row is None:
            why = "is nowhere"
        elif (row.owner, row.idempotency_key) != (told.owner, told.idempotency_key):
            why = f"is {row.owner}'s by the key {row.idempotency_key!r}"
        elif told.request_digest not in (None, row.request_digest):
            why = "holds another request"
        if why is not None:
            what = f"reservation {told.reservation_id}, acknowledged to {told.owner}, {why}"
            yield Violation(law="I-2", what=what, next_step=REPORT, key=f"I-2:{told.reservation_id}")


#: What only an owner or an admin does.
WISHES = frozenset({"submitted", "cancel", "extend"})


def nobody_acts_on_anothers(case: Case) -> Iterator[Violation]:
    """I-9: every wish in a history is its owner's or an admin's."""
    names = {user.id: user.name for user in case.tables.users}
    admins = {user.name for user in case.tables.users if user.is_admin}
    for row, events in case.told():
        for event in events:
            if event.what in WISHES and event.actor != names.get(row.owner_id) and event.actor not in admins:
                what = f"{row.label} of {names.get(row.owner_id)}: {event.what!r} by {event.actor!r}"
                step = "Shut that person out (gpudev admin users disable), and report this."
                yield Violation(law="I-9", what=what, next_step=step, key=f"I-9:{row.id}:{event.generation}")


def nobody_is_over_the_limits(case: Case) -> Iterator[Violation]:
    """I-11: live reservations, their GPUs and the disks of each person are within the limits."""
    limits = case.limits
    live = [row for row in case.tables.reservations if row.state != "ended"]
    gpus: Counter[uuid.UUID] = Counter()
    for row in live:
        gpus[row.owner_id] += row.gpus * row.nodes
    sums = (
        ("reservations", Counter(row.owner_id for row in live), limits.max_reservations_per_user),
        ("GPUs", gpus, limits.max_gpus_per_user),
        ("disks", Counter(d.owner_id for d in case.tables.disks if d.deleted_at is None), limits.max_disks_per_user),
    )
    names = {user.id: user.name for user in case.tables.users}
    for kind, counts, most in sums:
        for owner_id, count in counts.items():
            if most is not None and count > most:
                what = f"{names.get(owner_id, owner_id)} has {count} {kind}, and the limit is {most}"
                step = "If the limit was lowered just now, nothing; otherwise report this."
                yield Violation(law="I-11", what=what, next_step=step, key=f"I-11:{owner_id}:{kind}")
