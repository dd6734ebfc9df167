"""Where a gang starts: so many whole nodes of one backend and zone, free together for all its time. Pure.

Room only ever shrinks while a plan is made, so what was found for a shape is a lower bound for the next of that shape; each
bin is looked at again only when it changed, or when the others are free later than it.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from gpudev_sdk.domain.plan import Bin, Waiting
from gpudev_sdk.engine.profile import Profile

#: (start, node, version of the profile it was computed from, bin)
_Free = tuple[float, str, int, int]


class Spot(NamedTuple):
    """When and where a request can be, on one node or several: nodes and bins by rank."""

    start: float
    backend: str
    nodes: tuple[str, ...]
    bins: tuple[int, ...]


class _Zone:
    """The whole nodes of one backend and zone, for one shape: the earliest first."""

    def __init__(self, bins: Sequence[tuple[Bin, Profile]], numbers: Sequence[int], waiting: Waiting) -> None:
        self._bins = bins
        self._lasts = waiting.lasts.total_seconds()
        self._slots, self._nodes = waiting.slots, waiting.nodes
        # The node of its disk is one of them in any case.
        self._tied = [number for number in numbers if bins[number][0].node == waiting.node]
        others = [number for number in numbers if number not in self._tied]
        self._others: list[_Free] = [(-math.inf, bins[number][0].node, -1, number) for number in others]
        heapq.heapify(self._others)
        self._possible = len(numbers) >= waiting.nodes and (waiting.node is None or bool(self._tied))

    def earliest(self, not_before: float) -> tuple[float, tuple[int, ...]]:
        """Return the first moment from which all nodes are free, and which; `math.inf` if none is known."""
        moment = not_before if self._possible else math.inf
        while moment < math.inf:
            tied = max((self._start(number, moment) for number in self._tied), default=moment)
            found = self._first(self._nodes - len(self._tied), tied)
            latest = found[-1][0] if found else math.inf
            if latest == tied:
                return latest, (*self._tied, *(number for _, _, _, number in found))
            moment = latest
        return math.inf, ()

    def _first(self, count: int, moment: float) -> list[_Free]:
        """Return the `count` bins that are free first from `moment` on, each as of now; nothing if there are not so many."""
        found: list[_Free] = []
        while len(found) < count and self._others:
            start, node, version, number = heapq.heappop(self._others)
            now = self._bins[number][1].version
            if start >= moment and version == now:
                found.append((start, node, version, number))
                continue
            start = self._start(number, max(start, moment))
            if start < math.inf:
                heapq.heappush(self._others, (start, node, now, number))
        for free in found:
            heapq.heappush(self._others, free)
        return found if len(found) == count else []

    def _start(self, number: int, not_before: float) -> float:
        return self._bins[number][1].earliest(self._slots, self._lasts, not_before)


class Gangs:
    """Asked for the best place for one gang after another, among the bins of one GPU type."""

    def __init__(self, bins: Sequence[tuple[Bin, Profile]]) -> None:
        self._bins = bins
        self._shapes: dict[tuple[object, ...], dict[tuple[str, str], _Zone]] = {}

    def best(self, waiting: Waiting, now: float) -> Spot | None:
        """Return the earliest moment from `now` on; of several places the first by name."""
        place = (waiting.backend, waiting.node, waiting.zone)
        shape = (waiting.nodes, waiting.slots, waiting.lasts.total_seconds(), *place)
        if shape not in self._shapes:
            self._shapes[shape] = self._zones(waiting)
        return self._earliest(self._shapes[shape], now)

    def best_from(self, waiting: Waiting, not_before: float) -> Spot | None:
        """Return the best from a later moment on, without remembering anything."""
        return self._earliest(self._zones(waiting), not_before)

    def fits(self, waiting: Waiting) -> bool:
        """Whether any zone has so many whole nodes that can be used, that of its disk among them."""
        return any(
            len(numbers) >= waiting.nodes
            and (waiting.node is None or any(self._bins[number][0].node == waiting.node for number in numbers))
            for numbers in self._whole(waiting).values()
        )

    def _zones(self, waiting: Waiting) -> dict[tuple[str, str], _Zone]:
        whole = self._whole(waiting)
        return {place: _Zone(self._bins, whole[place], waiting) for place in sorted(whole)}

    def _whole(self, waiting: Waiting) -> dict[tuple[str, str], list[int]]:
        zones: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, (place, _) in enumerate(self._bins):
            wanted = waiting.backend in (None, place.backend) and waiting.zone in (None, place.zone)
            if wanted and place.usable == place.whole == waiting.slots:
                zones[place.backend, place.zone].append(number)
        return zones

    def _earliest(self, zones: dict[tuple[str, str], _Zone], not_before: float) -> Spot | None:
        best: Spot | None = None
        for (backend, _), members in zones.items():
            start, bins = members.earliest(not_before)
            if start < (math.inf if best is None else best.start):
                best = Spot(start, backend, tuple(self._bins[number][0].node for number in bins), bins)
        return best
