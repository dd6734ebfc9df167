"""Who watches the planner: at each plan, that no start delays the planned start of an older request (I-10).

It knows the question and the answer, and nothing of how the planner came to it. It walks the line in order: each request
must have the earliest moment that the older ones leave anywhere, and must fit where it was put into what they leave. Which
of several places with that same moment it got is the planner's choice.
"""

from __future__ import annotations

import json
import math
import pathlib
import pickle
from collections import defaultdict

from gpudev_sdk.engine.planner import plan
from gpudev_sdk.engine.profile import Profile

#: Seconds by which a moment may be off for being written as a date.
ROUNDING = 0.001


def _profiles(question):
    now = question.now.timestamp()
    rooms = defaultdict(dict)
    for place in question.bins:
        rooms[place.gpu_type][place.backend, place.node] = Profile(place.usable, now)
    for held in question.holdings:
        profile = rooms[held.gpu_type].get((held.backend, held.node))
        if profile is not None:
            until = math.inf if held.until is None else held.until.timestamp()
            profile.hold(now, until if until > now else now + 1, held.slots)
    return rooms


def _earliest(places, waiting, now):
    """Return the earliest moment that is left for a request anywhere."""
    return min(
        (
            profile.earliest(waiting.slots, waiting.lasts.total_seconds(), now)
            for place, profile in places.items()
            if waiting.backend in (None, place[0]) and waiting.node in (None, place[1])
        ),
        default=math.inf,
    )


def _fault(places, waiting, placed, now):
    """Hold what a request was promised; return in words what is wrong with the promise, or None."""
    lasts, due = waiting.lasts.total_seconds(), _earliest(places, waiting, now)
    promised = math.inf if placed.starts_at is None else placed.starts_at.timestamp()
    if promised > due + ROUNDING:
        return f"{waiting.reservation_id} could start {promised - due:.0f} s earlier but for younger ones"
    if promised == math.inf:
        return None
    profile = places[placed.backend, placed.node]
    start = profile.earliest(waiting.slots, lasts, now)
    profile.hold(start, start + lasts, waiting.slots)
    if start > promised + ROUNDING:
        return f"{waiting.reservation_id} takes what older ones need on {placed.node} for {start - promised:.0f} s"
    return None


def inversions(question, answer):
    """Return, in words, whoever up to the last start of the line delays an older request, or is delayed by a younger one.

    A request that waits for a disk or a name of its own is nobody's elder.
    """
    now, rooms, found = question.now.timestamp(), _profiles(question), []
    promises = {placed.reservation_id: placed for placed in answer.placements}
    left = {placed.reservation_id for placed in answer.starting}
    taken = set(question.taken)
    for waiting in sorted(question.waiting, key=lambda waiting: (-waiting.priority, waiting.seq)):
        if not left:
            break
        placed = promises[waiting.reservation_id]
        if waiting.reservation_id in left or not waiting.exclusive & taken:
            fault = _fault(rooms[waiting.gpu_type], waiting, placed, now)
            found += [fault] if fault else []
        left.discard(waiting.reservation_id)
        taken |= waiting.exclusive
    return found


class WatchedPlanner:
    """The planner, with what it starts and what is wrong with that written to a file of this process."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path, self._file = path, path.open("w", encoding="ascii")

    def __call__(self, question):
        """Plan, and note it; a question that was answered wrong is kept whole."""
        answer = plan(question)
        starts = [[str(placed.reservation_id), f"{placed.backend}/{placed.node}"] for placed in answer.starting]
        wrong = inversions(question, answer)
        if starts or wrong:
            print(json.dumps({"starts": starts, "wrong": wrong}), file=self._file, flush=True)
        if wrong:
            self._path.with_suffix(".wrong").write_bytes(pickle.dumps((question, answer)))
        return answer
