"""What the planner places into: bins by GPU type, with what is held of their slots and of places for volumes. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gpudev_sdk.domain.plan import Bin, Question, Waiting
from gpudev_sdk.engine.profile import Both, Profile

Bins = Sequence[tuple[Bin, Profile | Both]]


class House(NamedTuple):
    """The bins of one GPU type: as they are to whoever needs no place for a volume, and to whoever does.

    Where no limit of volumes can be met both are one and the same, and nothing is asked twice.
    """

    plain: Bins
    with_volume: Bins

    def of(self, waiting: Waiting) -> Bins:
        """Return the bins as they are to one in line; of a gang to its rank 0."""
        return self.with_volume if waiting.volume else self.plain


def may_have_volume(place: Bin, waiting: Waiting) -> bool:
    """Whether the node of a bin can ever have the volume of a request, if that has one."""
    return not waiting.volume or place.volumes is None or place.volumes > 0


def houses(question: Question, now: float) -> dict[str, House]:
    """Return the bins of each GPU type with what is held of them."""
    profiles: dict[tuple[str, str, str], Profile] = {}
    volumes: dict[tuple[str, str], Profile] = {}
    bins: dict[str, list[tuple[Bin, Profile]]] = defaultdict(list)
    for place in question.bins:
        profile = Profile(place.usable, now)
        profiles[place.backend, place.node, place.gpu_type] = profile
        bins[place.gpu_type].append((place, profile))
    for (backend, name), most in _limits(question).items():
        volumes[backend, name] = Profile(most, now)
    for held in question.holdings:
        until = math.inf if held.until is None else max(held.until.timestamp(), now)
        # What is overdue is still held: it frees up a moment from now at best, never now.
        until = until if until > now else now + 1
        holder = profiles.get((held.backend, held.node, held.gpu_type))
        if holder is not None and held.slots:
            holder.hold(now, until, held.slots)
        mounted = volumes.get((held.backend, held.node)) if held.volume else None
        if mounted is not None:
            mounted.hold(now, until, 1)
    return {gpu_type: _house(members, volumes) for gpu_type, members in bins.items()}


def _limits(question: Question) -> dict[tuple[str, str], int]:
    """Return how many volumes each node can have, where there may ever be more: each volume to come takes a slot as well."""
    limits = {(place.backend, place.node): place.volumes for place in question.bins if place.volumes is not None}
    most: dict[tuple[str, str], int] = defaultdict(int)
    for place in question.bins if limits else ():
        most[place.backend, place.node] += place.usable
    for held in question.holdings if limits else ():
        most[held.backend, held.node] += held.volume
    return {node: limit for node, limit in limits.items() if limit < most[node]}


def _house(plain: list[tuple[Bin, Profile]], volumes: Mapping[tuple[str, str], Profile]) -> House:
    if not any((place.backend, place.node) in volumes for place, _ in plain):
        return House(plain, plain)
    with_volume: list[tuple[Bin, Profile | Both]] = []
    for place, profile in plain:
        mounted = volumes.get((place.backend, place.node))
        with_volume.append((place, profile if mounted is None else Both(profile, mounted)))
    return House(plain, with_volume)
