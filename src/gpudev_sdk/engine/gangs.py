"""Where a gang starts: so many whole nodes of one backend and zone, free together for all its time. Pure.

Room only ever shrinks while a plan is made, so what was found for a shape is a lower bound for the next of that shape; each
bin is looked at again only when it changed, or when the others are free later than it.

A gang with a disk needs a place for a volume on the node of rank 0, and on no other.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gpudev_sdk.domain.plan import Bin, Waiting
from gpudev_sdk.engine.house import Bins, House, may_have_volume

#: (start, node, version of the profile it was computed from, bin)
_Free = tuple[float, str, int, int]


class Spot(NamedTuple):
    """When and where a request can be, on one node or several: nodes and bins by rank."""

    start: float
    backend: str
    nodes: tuple[str, ...]
    bins: tuple[int, ...]


def _may_be_first(place: Bin, waiting: Waiting) -> bool:
    return waiting.node in (None, place.node) and may_have_volume(place, waiting)


class _Zone:
    """The whole nodes of one backend and zone, for one shape: the earliest first."""

    def __init__(self, house: House, numbers: Sequence[int], waiting: Waiting) -> None:
        self._plain, self._for_head = house.plain, house.of(waiting)
        self._lasts = waiting.lasts.total_seconds()
        self._slots, self._nodes = waiting.slots, waiting.nodes
        #: Who can be rank 0, where not everybody can: the node of its disk, or one with a place for it.
        self._heads: list[_Free] | None = None
        if waiting.node is not None or self._for_head is not self._plain:
            self._heads = self._unseen(number for number in numbers if _may_be_first(house.plain[number][0], waiting))
        self._others = self._unseen(numbers)
        self._possible = len(numbers) >= waiting.nodes

    def _unseen(self, numbers: Iterable[int]) -> list[_Free]:
        free: list[_Free] = [(-math.inf, self._plain[number][0].node, -1, number) for number in numbers]
        heapq.heapify(free)
        return free

    def earliest(self, not_before: float) -> tuple[float, tuple[int, ...]]:
        """Return the first moment from which all nodes are free, and which; `math.inf` if none is known."""
        moment = not_before if self._possible else math.inf
        while moment < math.inf:
            ranks: list[int] = []
            if self._heads is not None:
                head = self._first(self._heads, self._for_head, 1, moment)
                if not head:
                    break
                moment, ranks = head[0][0], [head[0][3]]
            # The head's own slots are free then, so it is one of these or one beside them: which head it is decides nothing.
            found = self._first(self._others, self._plain, self._nodes, moment)
            found = [free for free in found if free[3] not in ranks][: self._nodes - len(ranks)]
            latest = found[-1][0] if found else math.inf
            if latest == moment:
                return latest, (*ranks, *(number for _, _, _, number in found))
            moment = latest
        return math.inf, ()

    def _first(self, heap: list[_Free], bins: Bins, count: int, moment: float) -> list[_Free]:
        """Return the `count` bins that are free first from `moment` on, each as of now; nothing if there are not so many."""
        found: list[_Free] = []
        while len(found) < count and heap:
            start, node, version, number = heapq.heappop(heap)
            profile = bins[number][1]
            now = profile.version
            if start >= moment and version == now:
                found.append((start, node, version, number))
                continue
            start = profile.earliest(self._slots, self._lasts, max(start, moment))
            if start < math.inf:
                heapq.heappush(heap, (start, node, now, number))
        for free in found:
            heapq.heappush(heap, free)
        return found if len(found) == count else []


class Gangs:
    """Asked for the best place for one gang after another, among the bins of one GPU type."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._shapes: dict[tuple[object, ...], dict[tuple[str, str], _Zone]] = {}

    def best(self, waiting: Waiting, now: float) -> Spot | None:
        """Return the earliest moment from `now` on; of several places the first by name."""
        plain, place = self._house.of(waiting) is self._house.plain, (waiting.backend, waiting.node, waiting.zone)
        shape = (waiting.nodes, waiting.slots, waiting.lasts.total_seconds(), plain, *place)
        if shape not in self._shapes:
            self._shapes[shape] = self._zones(waiting)
        return self._earliest(self._shapes[shape], now)

    def best_from(self, waiting: Waiting, not_before: float) -> Spot | None:
        """Return the best from a later moment on, without remembering anything."""
        return self._earliest(self._zones(waiting), not_before)

    def fits(self, waiting: Waiting) -> bool:
        """Whether any zone has so many whole nodes that can be used, one that can have its disk among them."""
        return any(
            len(numbers) >= waiting.nodes
            and any(_may_be_first(self._house.plain[number][0], waiting) for number in numbers)
            for numbers in self._whole(waiting).values()
        )

    def _zones(self, waiting: Waiting) -> dict[tuple[str, str], _Zone]:
        whole = self._whole(waiting)
        return {place: _Zone(self._house, whole[place], waiting) for place in sorted(whole)}

    def _whole(self, waiting: Waiting) -> dict[tuple[str, str], list[int]]:
        zones: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, (place, _) in enumerate(self._house.plain):
            wanted = waiting.backend in (None, place.backend) and waiting.zone in (None, place.zone)
            if wanted and place.usable == place.whole == waiting.slots:
                zones[place.backend, place.zone].append(number)
        return zones

    def _earliest(self, zones: dict[tuple[str, str], _Zone], not_before: float) -> Spot | None:
        best: Spot | None = None
        for (backend, _), members in zones.items():
            start, bins = members.earliest(not_before)
            if start < (math.inf if best is None else best.start):
                best = Spot(start, backend, tuple(self._house.plain[number][0].node for number in bins), bins)
        return best
