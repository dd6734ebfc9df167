"""How a simulated cloud misbehaves: chances and lengths, all off unless they are asked for."""

from __future__ import annotations

import datetime as dt
import random

import attrs

from gpudev_sdk.testing.cloud.ledger import MEMORY


@attrs.frozen
class Span:
    """A length of time drawn between two bounds."""

    least: dt.timedelta = dt.timedelta()
    most: dt.timedelta = dt.timedelta()

    def __attrs_post_init__(self) -> None:
        if not dt.timedelta() <= self.least <= self.most:
            raise ValueError("a span goes from a length to a longer one")

    @classmethod
    def seconds(cls, least: float, most: float) -> Span:
        """Return a span of seconds."""
        return cls(dt.timedelta(seconds=least), dt.timedelta(seconds=most))

    def draw(self, rng: random.Random) -> dt.timedelta:
        """Draw a length; a span of one length asks no chance."""
        if self.least == self.most:
            return self.least
        return self.least + (self.most - self.least) * rng.random()


NONE = Span()


def _remembered(weather: Weather, attribute: attrs.Attribute[Span], lag: Span) -> None:
    if lag.most > MEMORY:
        raise ValueError(f"{attribute.name} is longer than the cloud remembers: {MEMORY}")


@attrs.frozen(kw_only=True)
class Weather:
    """Chances are per call unless the name says otherwise; a length of nothing means at once."""

    #: `TryLater` before any effect, by chance and by a bucket of calls a second (None: no bucket).
    throttled: float = 0.0
    calls_per_second: float | None = None
    #: The effect is done and the answer never comes: `TryLater` after success.
    lost_answer: float = 0.0
    #: `TryLater` now, and the effect comes so much later, when nobody waits for it: for calls that change something.
    late_effect: float = 0.0
    late: Span = NONE
    #: `TryLater` or a bare `ProviderError`, without effect.
    failed_call: float = 0.0
    #: `NoCapacity` at a launch although there is room.
    no_capacity: float = 0.0
    #: A list breaks off in the middle: `TryLater`, never the half that came.
    partial_list: float = 0.0

    #: From launch and attached disk to an SSH server that answers.
    boot: Span = NONE
    #: Chance, for each boot, that the server dies meanwhile.
    dies_booting: float = 0.0
    #: Of running servers, how many an hour die or are evicted.
    dies_per_hour: float = 0.0
    evicted_per_hour: float = 0.0
    #: From `terminate` to gone. The box may write until then.
    stop: Span = NONE
    #: From the loss of a node until the cloud says that its servers are gone; unknown meanwhile.
    loss_noticed: Span = NONE

    #: From the create call to a volume that can be attached.
    volume: Span = NONE
    #: The attachment is still shown so long after its server is gone.
    detach: Span = NONE
    #: A snapshot is pending for so long, and then completed, or failed by this chance.
    snapshot: Span = NONE
    snapshot_error: float = 0.0
    #: Asking for a snapshot twice takes two, as where the create call knows no token.
    doubled_snapshots: bool = False

    #: Reads of volumes and snapshots, and of servers, show the state of so long ago. `most` is what the cloud promises.
    lag: Span = attrs.field(default=NONE, validator=_remembered)
    server_lag: Span = attrs.field(default=NONE, validator=_remembered)

    @classmethod
    def calm(cls) -> Weather:
        """Return weather in which everything works at once."""
        return cls()

    @classmethod
    def slow(cls) -> Weather:
        """Return weather in which everything works and takes its time."""
        return cls(
            boot=Span.seconds(5, 60),
            stop=Span.seconds(2, 45),
            loss_noticed=Span.seconds(30, 120),
            volume=Span.seconds(2, 20),
            detach=Span.seconds(1, 30),
            snapshot=Span.seconds(20, 300),
        )

    @classmethod
    def stormy(cls, rng: random.Random) -> Weather:
        """Draw bad weather: each misbehaviour is there or not, and mild or wild."""

        def chance(most: float) -> float:
            return rng.random() * most if rng.random() < 0.7 else 0.0

        def span(most: float) -> Span:
            longest = rng.random() * most if rng.random() < 0.8 else 0.0
            return Span.seconds(0, longest)

        return cls(
            throttled=chance(0.10),
            calls_per_second=rng.choice((None, None, 5.0, 20.0)),
            lost_answer=chance(0.10),
            failed_call=chance(0.10),
            no_capacity=chance(0.20),
            partial_list=chance(0.20),
            boot=span(90),
            dies_booting=chance(0.10),
            dies_per_hour=chance(0.05),
            evicted_per_hour=chance(0.05),
            stop=span(60),
            loss_noticed=span(300),
            volume=span(40),
            detach=span(60),
            snapshot=span(900),
            snapshot_error=chance(0.25),
            doubled_snapshots=rng.random() < 0.5,
            lag=span(60),
            server_lag=rng.choice((NONE, NONE, Span.seconds(0, 5))),
        )
