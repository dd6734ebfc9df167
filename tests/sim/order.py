"""Whether a start delays an older request: the plan is made again without it, and nobody older may be better off."""

from __future__ import annotations

import attrs

from gpudev_sdk.domain.plan import Plan, Question
from gpudev_sdk.engine.planner import plan


def passed_over(question: Question, answer: Plan) -> list[str]:
    """Return, in words, every older request that a start of this plan delays."""
    line = {waiting.reservation_id: waiting for waiting in question.waiting}
    starts = {placed.reservation_id: placed.starts_at for placed in answer.placements}
    found = []
    for placed in answer.starting:
        started = line[placed.reservation_id]
        without = plan(
            attrs.evolve(
                question, waiting=tuple(w for w in question.waiting if w.reservation_id != placed.reservation_id)
            )
        )
        for other in without.placements:
            older = line[other.reservation_id]
            if any(thing in question.taken for thing in older.exclusive):
                continue  # what waits for its disk holds up nobody
            if (-older.priority, older.seq) > (-started.priority, started.seq) or other.starts_at is None:
                continue
            now = starts[other.reservation_id]
            if now is None or now > other.starts_at:
                found.append(
                    f"{placed.reservation_id} starts before {older.reservation_id}, which is older, and delays it"
                )
    return found
