"""The planner: who starts where now, and when everyone else will. Pure; the heart of the engine.

FIFO by priority class with conservative backfill: requests are placed in the order of the line, each at the earliest
moment at which every older one keeps its own planned start. So a small request may start in a hole before an older
large one, and never delays it. A gang gets all its nodes at one moment and holds them as anybody does, so that it is not
starved. A request that waits for something of its own (its disk, its name) is given a time and holds no room, so that it
does not hold up others.
"""

from __future__ import annotations

import datetime as dt
import heapq
import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence

from gpudev_sdk.domain.plan import Bin, Placement, Plan, Question, Waiting
from gpudev_sdk.engine.gangs import Gangs, Spot
from gpudev_sdk.engine.profile import Profile

#: (start, slots left over then, backend, node, version of the profile it was computed from, bin)
_Offer = tuple[float, int, str, str, int, int]


class _Room:
    """All bins of one GPU type, asked for the best place for one shape after another.

    Room only ever shrinks while a plan is made, so a bin's earliest start for a shape only moves later: an offer that
    was computed before the bin changed is a lower bound, and a heap of them stays in order when stale ones are redone.
    """

    def __init__(self, bins: Iterable[tuple[Bin, Profile]]) -> None:
        self._bins = list(bins)
        self._offers: dict[tuple[int, float, str | None, str | None, str | None], list[_Offer]] = {}
        self._gangs = Gangs(self._bins)

    def _offer(self, number: int, waiting: Waiting, not_before: float) -> _Offer:
        place, profile = self._bins[number]
        start = profile.earliest(waiting.slots, waiting.lasts.total_seconds(), not_before)
        spare = profile.free_at(start) - waiting.slots if start < math.inf else 0
        return (start, spare, place.backend, place.node, profile.version, number)

    def _may_hold(self, number: int, waiting: Waiting) -> bool:
        place, _ = self._bins[number]
        wanted = waiting.backend in (None, place.backend) and waiting.node in (None, place.node)
        return wanted and waiting.zone in (None, place.zone) and place.usable >= waiting.slots

    def best(self, waiting: Waiting, now: float) -> Spot | None:
        """Return the best spot from `now` on: the earliest; of several, a tight fit as far as known, then by name."""
        if waiting.nodes > 1:
            return self._gangs.best(waiting, now)
        shape = (waiting.slots, waiting.lasts.total_seconds(), waiting.backend, waiting.node, waiting.zone)
        offers = self._offers.get(shape)
        if offers is None:
            fitting = (number for number in range(len(self._bins)) if self._may_hold(number, waiting))
            offers = [self._offer(number, waiting, now) for number in fitting]
            heapq.heapify(offers)
            self._offers[shape] = offers
        while offers:
            start, _, _, _, version, number = offers[0]
            if version == self._bins[number][1].version:
                break
            # It was a lower bound, so nothing before it need be looked at again.
            heapq.heapreplace(offers, self._offer(number, waiting, start))
        return _spot(offers[0]) if offers else None

    def best_from(self, waiting: Waiting, not_before: float) -> Spot | None:
        """Return the best spot from a later moment on, without remembering anything."""
        if waiting.nodes > 1:
            return self._gangs.best_from(waiting, not_before)
        fitting = (number for number in range(len(self._bins)) if self._may_hold(number, waiting))
        best = min((self._offer(number, waiting, not_before) for number in fitting), default=None)
        return None if best is None else _spot(best)

    def hold(self, spot: Spot, waiting: Waiting) -> None:
        for number in spot.bins:
            self._bins[number][1].hold(spot.start, spot.start + waiting.lasts.total_seconds(), waiting.slots)

    def why_never(self, waiting: Waiting) -> str:
        """Say in words why no moment is known."""
        if waiting.nodes > 1:
            nodes = f"{waiting.nodes} whole nodes of {waiting.gpu_type} {_about_disk(waiting)}"
            return f"{nodes} {'whose end is not known' if self._gangs.fits(waiting) else 'that can be used'}"
        if not any(self._may_hold(number, waiting) for number in range(len(self._bins))):
            return f"a node with {waiting.slots} × {waiting.gpu_type} that can be used{_at_disk(waiting)}"
        return f"{waiting.slots} × {waiting.gpu_type} whose end is not known"


def _at_disk(waiting: Waiting) -> str:
    """Say what its disk ties it to, for people."""
    place = f"on {waiting.node}" if waiting.node else f"in {waiting.zone}" if waiting.zone else ""
    return f", {place}, where its disk is" if place else ""


def _about_disk(waiting: Waiting) -> str:
    """Say the same of a gang, whose nodes are of one zone in any case."""
    if waiting.zone:
        return f"in {waiting.zone}, where its disk is,"
    return f"in one zone with {waiting.node}, where its disk is," if waiting.node else "in one zone"


def _spot(offer: _Offer) -> Spot | None:
    start, _, backend, node, _, number = offer
    return Spot(start, backend, (node,), (number,)) if start < math.inf else None


def _rooms(question: Question, now: float) -> dict[str, _Room]:
    profiles: dict[tuple[str, str, str], Profile] = {}
    bins: dict[str, list[tuple[Bin, Profile]]] = defaultdict(list)
    for place in question.bins:
        profile = Profile(place.usable, now)
        profiles[place.backend, place.node, place.gpu_type] = profile
        bins[place.gpu_type].append((place, profile))
    for held in question.holdings:
        holder = profiles.get((held.backend, held.node, held.gpu_type))
        if holder is not None:
            until = math.inf if held.until is None else max(held.until.timestamp(), now)
            # Overdue slots are still held: they free up a moment from now at best, never now.
            holder.hold(now, until if until > now else now + 1, held.slots)
    return {gpu_type: _Room(members) for gpu_type, members in bins.items()}


class _Line:
    """Places one request after another and remembers what is taken."""

    def __init__(self, question: Question, positions: dict[uuid.UUID, int]) -> None:
        self.now = question.now.timestamp()
        self.zone = question.now.tzinfo
        self.rooms = _rooms(question, self.now)
        self.taken = {
            thing: math.inf if until is None else max(until.timestamp(), self.now + 1)
            for thing, until in question.taken.items()
        }
        self.several_places = len({place.backend for place in question.bins}) > 1
        self.positions = positions

    def blocked_until(self, waiting: Waiting) -> float:
        return max((self.taken.get(thing, 0.0) for thing in waiting.exclusive), default=0.0)

    def place(self, waiting: Waiting) -> Placement:
        """Give a request the best moment from now on, and hold it for it."""
        room = self.rooms.get(waiting.gpu_type, _Room(()))
        offer = room.best(waiting, self.now)
        self._take(room, waiting, offer)
        return self._placement(waiting, offer, "" if offer else room.why_never(waiting))

    def place_blocked(self, waiting: Waiting) -> Placement:
        """Give a request a moment after what it waits for, among what all the others left."""
        room = self.rooms.get(waiting.gpu_type, _Room(()))
        blocked = self.blocked_until(waiting)
        offer = room.best_from(waiting, blocked) if blocked < math.inf else None
        self._take(room, waiting, offer)
        return self._placement(waiting, offer, "its disk or name, which another box of yours has")

    def look_ahead(self, waiting: Waiting) -> Placement:
        """Find the moment a request would get, and hold nothing."""
        room = self.rooms.get(waiting.gpu_type, _Room(()))
        blocked = max(self.now, self.blocked_until(waiting))
        offer = room.best_from(waiting, blocked) if blocked < math.inf else None
        return self._placement(waiting, offer, "" if offer else room.why_never(waiting))

    def _take(self, room: _Room, waiting: Waiting, offer: Spot | None) -> None:
        if offer is not None:
            room.hold(offer, waiting)
        end = math.inf if offer is None else offer.start + waiting.lasts.total_seconds()
        self.taken.update(dict.fromkeys(waiting.exclusive, end))

    def _placement(self, waiting: Waiting, offer: Spot | None, reason: str) -> Placement:
        position = self.positions[waiting.reservation_id]
        if offer is None:
            return Placement(
                reservation_id=waiting.reservation_id, position=position, starts_at=None, waiting_for=reason
            )
        if offer.start > self.now:
            where = f" in {offer.backend}" if self.several_places else ""
            reason = reason or f"{_times(waiting)}{waiting.slots} × {waiting.gpu_type}{where}"
        return Placement(
            reservation_id=waiting.reservation_id,
            position=position,
            starts_at=dt.datetime.fromtimestamp(offer.start, self.zone),
            backend=offer.backend,
            node=offer.nodes[0],
            nodes=offer.nodes if waiting.nodes > 1 else (),
            waiting_for=reason,
        )


def _times(waiting: Waiting) -> str:
    return f"{waiting.nodes} nodes with " if waiting.nodes > 1 else ""


def _positions(order: Iterable[Waiting]) -> dict[uuid.UUID, int]:
    counts: dict[str, int] = defaultdict(int)
    positions: dict[uuid.UUID, int] = {}
    for waiting in order:
        counts[waiting.gpu_type] += 1
        positions[waiting.reservation_id] = counts[waiting.gpu_type]
    return positions


def plan(question: Question) -> Plan:
    """Answer the question; the same question always has the same answer."""
    return _planned(question)[0]


def probe(question: Question, shapes: Sequence[Waiting]) -> list[Placement]:
    """Say when each of `shapes` would start if it were the last in line; none of them holds room against another."""
    _, line = _planned(question)
    found = []
    for shape in shapes:
        line.positions[shape.reservation_id] = 1 + sum(
            waiting.gpu_type == shape.gpu_type and waiting.priority >= shape.priority for waiting in question.waiting
        )
        found.append(line.look_ahead(shape))
    return found


def _planned(question: Question) -> tuple[Plan, _Line]:
    order = sorted(question.waiting, key=lambda waiting: (-waiting.priority, waiting.seq))
    line = _Line(question, _positions(order))
    placed: dict[uuid.UUID, Placement] = {}
    blocked: list[Waiting] = []
    for waiting in order:
        if line.blocked_until(waiting) > line.now:
            blocked.append(waiting)
        else:
            placed[waiting.reservation_id] = line.place(waiting)
    for waiting in blocked:
        placed[waiting.reservation_id] = line.place_blocked(waiting)
    answer = Plan(now=question.now, placements=tuple(placed[waiting.reservation_id] for waiting in order))
    return answer, line
