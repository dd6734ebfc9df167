"""The planner: who starts where now, and when everyone else will. Pure; the heart of the engine.

FIFO by priority class with conservative backfill: requests are placed in the order of the line, each at the earliest
moment at which every older one keeps its own planned start. So a small request may start in a hole before an older
large one, and never delays it. A gang gets all its nodes at one moment and holds them as anybody does, so that it is not
starved. Where a node can have only so many volumes, a request with a disk needs a place for it all its time as well; one
without takes none and waits for none. A request that waits for something of its own (its disk, its name) is given a time and
holds no room, so that it does not hold up others.
"""

from __future__ import annotations

import datetime as dt
import heapq
import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence

import attrs

from gpudev_sdk.domain.plan import Placement, Plan, Question, Waiting
from gpudev_sdk.engine.gangs import Gangs, Spot
from gpudev_sdk.engine.house import House, houses, may_have_volume

#: (start, slots left over then, backend, node, version of the profile it was computed from, bin)
_Offer = tuple[float, int, str, str, int, int]
#: What offers are alike for.
_Shape = tuple[int, float, bool, str | None, str | None, str | None]


class _Room:
    """All bins of one GPU type, asked for the best place for one shape after another.

    Room only ever shrinks while a plan is made, so a bin's earliest start for a shape only moves later: an offer that
    was computed before the bin changed is a lower bound, and a heap of them stays in order when stale ones are redone.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._offers: dict[_Shape, list[_Offer]] = {}
        self._gangs = Gangs(house)

    def _offer(self, number: int, waiting: Waiting, not_before: float) -> _Offer:
        place, profile = self._house.of(waiting)[number]
        start = profile.earliest(waiting.slots, waiting.lasts.total_seconds(), not_before)
        spare = profile.free_at(start) - waiting.slots if start < math.inf else 0
        return (start, spare, place.backend, place.node, profile.version, number)

    def _fitting(self, waiting: Waiting) -> list[int]:
        """Return the bins that could ever hold a request."""
        return [
            number
            for number, (place, _) in enumerate(self._house.plain)
            if waiting.backend in (None, place.backend)
            and waiting.node in (None, place.node)
            and waiting.zone in (None, place.zone)
            and place.usable >= waiting.slots
            and may_have_volume(place, waiting)
        ]

    def best(self, waiting: Waiting, now: float) -> Spot | None:
        """Return the best spot from `now` on: the earliest; of several, a tight fit as far as known, then by name."""
        if waiting.nodes > 1:
            return self._gangs.best(waiting, now)
        bins, place = self._house.of(waiting), (waiting.backend, waiting.node, waiting.zone)
        shape = (waiting.slots, waiting.lasts.total_seconds(), bins is self._house.plain, *place)
        offers = self._offers.get(shape)
        if offers is None:
            offers = [self._offer(number, waiting, now) for number in self._fitting(waiting)]
            heapq.heapify(offers)
            self._offers[shape] = offers
        while offers:
            start, _, _, _, version, number = offers[0]
            if version == bins[number][1].version:
                break
            # It was a lower bound, so nothing before it need be looked at again.
            heapq.heapreplace(offers, self._offer(number, waiting, start))
        return _spot(offers[0]) if offers else None

    def best_from(self, waiting: Waiting, not_before: float) -> Spot | None:
        """Return the best spot from a later moment on, without remembering anything."""
        if waiting.nodes > 1:
            return self._gangs.best_from(waiting, not_before)
        best = min((self._offer(number, waiting, not_before) for number in self._fitting(waiting)), default=None)
        return None if best is None else _spot(best)

    def hold(self, spot: Spot, waiting: Waiting) -> None:
        bins = self._house.of(waiting)
        for number in spot.bins:
            bins[number][1].hold(spot.start, spot.start + waiting.lasts.total_seconds(), waiting.slots)
            bins = self._house.plain

    def waits_for_volume(self, waiting: Waiting, spot: Spot, now: float) -> bool:
        """Whether all slots of a spot are free before the place for its volume is."""
        if self._house.of(waiting) is self._house.plain:
            return False
        lasts = waiting.lasts.total_seconds()
        return (
            max(self._house.plain[number][1].earliest(waiting.slots, lasts, now) for number in spot.bins) < spot.start
        )

    def why_never(self, waiting: Waiting) -> str:
        """Say in words why no moment is known."""
        if waiting.nodes > 1:
            nodes = f"{waiting.nodes} whole nodes of {waiting.gpu_type} {_about_disk(waiting)}"
            if self._gangs.fits(waiting):
                return f"{nodes} whose end is not known"
            if self._gangs.fits(attrs.evolve(waiting, volume=False)):
                return f"{nodes.rstrip(',')}, one of which can take a disk"
            return f"{nodes} that can be used"
        if not self._fitting(waiting):
            can = "that can be used" if self._house.of(waiting) is self._house.plain else "that can take a disk"
            return f"a node with {waiting.slots} × {waiting.gpu_type} {can}{_at_disk(waiting)}"
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


class _Line:
    """Places one request after another and remembers what is taken."""

    def __init__(self, question: Question, positions: dict[uuid.UUID, int]) -> None:
        self.now = question.now.timestamp()
        self.zone = question.now.tzinfo
        self.rooms = {gpu_type: _Room(house) for gpu_type, house in houses(question, self.now).items()}
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
        room = self._room(waiting)
        offer = room.best(waiting, self.now)
        reason = self._reason(room, waiting, offer, self.now)
        self._take(room, waiting, offer)
        return self._placement(waiting, offer, reason)

    def place_blocked(self, waiting: Waiting) -> Placement:
        """Give a request a moment after what it waits for, among what all the others left."""
        room = self._room(waiting)
        blocked = self.blocked_until(waiting)
        offer = room.best_from(waiting, blocked) if blocked < math.inf else None
        self._take(room, waiting, offer)
        return self._placement(waiting, offer, "its disk or name, which another box of yours has")

    def look_ahead(self, waiting: Waiting) -> Placement:
        """Find the moment a request would get, and hold nothing."""
        room = self._room(waiting)
        blocked = max(self.now, self.blocked_until(waiting))
        offer = room.best_from(waiting, blocked) if blocked < math.inf else None
        return self._placement(waiting, offer, self._reason(room, waiting, offer, blocked))

    def _room(self, waiting: Waiting) -> _Room:
        return self.rooms.get(waiting.gpu_type) or _Room(House((), ()))

    def _reason(self, room: _Room, waiting: Waiting, offer: Spot | None, not_before: float) -> str:
        """Say what a request waits for, before it holds it; nothing of one that starts now."""
        if offer is None:
            return room.why_never(waiting)
        if offer.start <= self.now:
            return ""
        where = f" in {offer.backend}" if self.several_places else ""
        what = f"{_times(waiting)}{waiting.slots} × {waiting.gpu_type}{where}"
        return f"{what}{_with_place(waiting) if room.waits_for_volume(waiting, offer, not_before) else ''}"

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


def _with_place(waiting: Waiting) -> str:
    return ", one of which can take another disk" if waiting.nodes > 1 else " on a node that can take another disk"


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
