"""What kind of install, weather and trouble a seed has: drawn once, from the seed alone."""

from __future__ import annotations

import datetime as dt
import random

import attrs

from gpudev_sdk.domain.disk import Reach
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.testing.cloud import CloudNode, Span, Weather
from tests.sim.faults import PAUSE, focus_of

__all__ = ["PAUSE", "Knobs", "draw", "of_cloud"]
MINUTE = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)
#: In seeds from here on people think of little but snapshots: what one that was asked for goes through is seldom otherwise.
SNAPSHOTS_FROM = 2000
#: And of several nodes at once from here on; every third seed before has a few of those.
GANGS_FROM = 3000


#: How much goes wrong at steps over a plugin, seconds between blows of fate, and between a person's wishes.
CLOUD_RATE, CLOUD_FATE, CLOUD_PACE = 20.0, 30.0, 40.0
#: How often what is reserved there is several nodes.
CLOUD_GANGS = 0.3
#: Two zones of each cloud that a plugin reaches, as its fake has them.
ZONES = {"aws": ("us-east-1a", "us-east-1b"), "gcp": ("us-central1-a", "us-central1-b")}


@attrs.frozen(kw_only=True)
class Knobs:
    """The draw."""

    lifecycles: int
    people: int
    processors: int
    nodes: tuple[CloudNode, ...]
    limits: Limits
    weather: Weather
    #: Why there are no snapshots, where there are none.
    snapshots_off: str
    keep_volumes: dt.timedelta | None
    #: How far volumes are told to reach: with a node, its disk waits for that node.
    reach: Reach
    #: How often an active box is looked at when nothing is due, and the served time is counted.
    active_look: dt.timedelta
    count: float
    #: Seconds between a person's wishes, on average.
    pace: float
    #: How often a person who has reservations left to make wants one, and how they choose else: see `people.Person`.
    reserving: float = 0.6
    wishes: tuple[int, ...] = (2, 2, 12, 7, 3, 1, 1, 4)
    #: How often a box is to have no disk, and each of a person's.
    disks: tuple[int, ...] = (4, 3, 2, 2, 1, 1)
    #: How often what is reserved is several nodes.
    gangs: float = 0.0
    rate: float
    focus: frozenset[tuple[str, str]]
    switching: float
    mail_rate: float
    #: Chance that a ring wakes nobody.
    deaf: float
    #: Seconds between blows of fate, on average.
    fate: float

    def shown(self) -> str:
        """Return them for a reader."""
        return "\n".join(f"  {field.name} = {getattr(self, field.name)}" for field in attrs.fields(Knobs))


def draw(rng: random.Random, seed: int, lifecycles: int) -> Knobs:
    """Return the knobs of a seed."""
    nodes = tuple(
        CloudNode(name=f"node-{number}", slots={"h100": 8, "cpu": rng.randint(3, 8)}, zone="zone-a")
        for number in range(rng.randint(2, 4))
    )
    limits = Limits(
        warnings=(5 * MINUTE, MINUTE),
        grace=rng.choice((30 * SECOND, 2 * MINUTE)),
        max_preparing=rng.choice((3 * MINUTE, 15 * MINUTE)),
        max_attempts=rng.choice((2, 3, 5)),
        max_wait=rng.choice((60 * MINUTE, 48 * 60 * MINUTE)),
        undelete=rng.choice((4 * MINUTE, 4 * MINUTE, 20 * MINUTE)),
        stopping_overdue=rng.choice((MINUTE, 15 * MINUTE)),
        keep_snapshots=rng.choice((1, 1, 2, 3)),
        max_reservations_per_user=rng.choice((8, 20)),
        max_gpus_per_user=rng.choice((None, 16, 32)),
    )
    knobs = Knobs(
        lifecycles=lifecycles,
        people=rng.randint(3, 4),
        processors=rng.randint(2, 4),
        nodes=nodes,
        limits=limits,
        weather=_weather(rng),
        snapshots_off="snapshots are off here" if rng.random() < 0.15 else "",
        keep_volumes=rng.choice((None, 20 * SECOND, 90 * SECOND, 90 * SECOND)),
        reach=Reach.NODE if seed % 4 == 3 else Reach.ZONE,
        active_look=rng.choice((10 * SECOND, MINUTE, MINUTE, MINUTE)),
        count=rng.choice((10.0, 20.0, 25.0)),
        pace=rng.choice((6.0, 12.0, 20.0)),
        rate=rng.choice((0.4, 1.0, 1.6)),
        focus=focus_of(seed),
        switching=rng.choice((0.1, 0.3, 0.6)),
        mail_rate=rng.choice((0.0, 0.1, 0.3)),
        deaf=rng.choice((0.05, 0.3)),
        fate=rng.choice((60.0, 180.0, 600.0)),
    )
    if seed >= GANGS_FROM:
        return attrs.evolve(knobs, gangs=0.4, nodes=_two_zones(rng))
    if seed < SNAPSHOTS_FROM:
        return attrs.evolve(knobs, gangs=0.1 if seed % 3 == 2 else 0.0)
    return attrs.evolve(knobs, keep_volumes=None, pace=6.0, reserving=0.3, wishes=(2, 1, 60, 12, 2, 2, 1, 1))


def of_cloud(knobs: Knobs, cloud: str, seed: int) -> Knobs:
    """Return the knobs for a plugin's cloud, which are as they were for the simulated one.

    Its zones have names of their own, and whether there are snapshots is the plugin's to say. A call costs much
    more time there, so that people ask for less, and more goes wrong: the weather is bad, and quick.
    """
    zones = ZONES.get(cloud)
    if zones is None:
        return knobs
    rng = random.Random(f"{cloud}-{seed}")
    weather = _quick(Weather.stormy(rng))
    nodes = tuple(attrs.evolve(node, zone=zones[node.zone == "zone-b"]) for node in _two_zones(rng))
    more = {
        "rate": CLOUD_RATE,
        "fate": CLOUD_FATE,
        "pace": CLOUD_PACE,
        "gangs": CLOUD_GANGS,
        "wishes": (2, 2, 10, 8, 3, 1, 1, 10),
        "disks": (2, 6, 3, 0, 0, 0),
        "keep_volumes": None if seed % 4 == 0 else 20 * SECOND,
    }
    return attrs.evolve(knobs, nodes=nodes, snapshots_off="", weather=weather, **more)


def _two_zones(rng: random.Random) -> tuple[CloudNode, ...]:
    """Return nodes of which some are far from the others."""
    near, far, places = rng.randint(2, 3), rng.randint(1, 2), rng.randint(3, 8)
    zones = ["zone-a"] * near + ["zone-b"] * far
    return tuple(
        CloudNode(name=f"node-{number}", slots={"h100": 8, "cpu": places}, zone=zone)
        for number, zone in enumerate(zones)
    )


def _weather(rng: random.Random) -> Weather:
    """Return weather that is bad in most seeds, and in most of those quick: a start that takes long is looked at often."""
    weather = Weather.stormy(rng) if rng.random() < 0.7 else Weather.slow()
    if rng.random() < 0.5:
        weather = attrs.evolve(weather, late_effect=0.03, late=Span.seconds(1, 120))
    return weather if rng.random() < 0.2 else _quick(weather)


def _quick(weather: Weather) -> Weather:
    return attrs.evolve(
        weather,
        boot=Span.seconds(0.2, 15),
        stop=Span.seconds(0.2, 20),
        snapshot=Span.seconds(0.5, 60),
        volume=Span.seconds(0, 8),
    )
