"""Whether a start delays an older request: the plan is made again without it, and nobody older may be better off."""

from __future__ import annotations

import uuid

import attrs

from gpudev_sdk.domain.plan import Plan, Question, Waiting
from gpudev_sdk.engine.planner import plan


def _age(waiting: Waiting) -> tuple[int, int]:
    return -waiting.priority, waiting.seq


def _held_up(question: Question) -> set[uuid.UUID]:
    """Return who waits for a disk or a name that somebody before them has or will have: they hold up nobody."""
    taken, held_up = set(question.taken), set()
    for waiting in sorted(question.waiting, key=_age):
        if taken & waiting.exclusive:
            held_up.add(waiting.reservation_id)
        taken |= waiting.exclusive
    return held_up


def passed_over(question: Question, answer: Plan) -> list[str]:
    """Return, in words, every older request that a start of this plan delays."""
    line = {waiting.reservation_id: waiting for waiting in question.waiting}
    starts = {placed.reservation_id: placed.starts_at for placed in answer.placements}
    held_up, found = _held_up(question), []
    for placed in answer.starting:
        started = line[placed.reservation_id]
        others = tuple(waiting for waiting in question.waiting if waiting is not started)
        for other in plan(attrs.evolve(question, waiting=others)).placements:
            older = line[other.reservation_id]
            if _age(older) > _age(started) or other.starts_at is None or older.reservation_id in held_up:
                continue
            now = starts[other.reservation_id]
            if now is None or now > other.starts_at:
                found.append(
                    f"{placed.reservation_id} starts before {older.reservation_id}, which is older, and delays it"
                )
    return found
