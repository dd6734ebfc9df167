"""What every call to a simulated cloud passes through: the hook of a scheduler, and the weather."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import math
import random
from collections.abc import Callable
from typing import TypeVar

from gpudev_sdk.errors import GpudevError, ProviderError, TryLater
from gpudev_sdk.testing.cloud.clock import VirtualClock
from gpudev_sdk.testing.cloud.ledger import Agenda
from gpudev_sdk.testing.cloud.weather import Span, Weather

T = TypeVar("T")
#: A bucket of calls holds this many seconds' worth.
BURST = 4.0
_CHANGES = ("launch", "configure", "terminate", "write_claim", "create", "delete")


class Sky:
    """The clock, the dice, the weather, and the one gate of all calls."""

    def __init__(self, clock: VirtualClock, rng: random.Random, weather: Weather) -> None:
        self.clock = clock
        self.rng = rng
        self.weather = weather
        #: Told of each call's name with "before" and "after" its effect; may switch, raise, or let time pass.
        self.on_call: Callable[[str, str], None] | None = None
        #: How often each call was made, what became of it or not; and how often the weather struck, by kind.
        self.calls: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()
        self._agenda = Agenda()
        self._dark_until = self._blind_until = clock.now
        self._bucket, self._filled = math.inf, clock.now
        self._era = 0

    def blackout(self, lasts: dt.timedelta) -> None:
        """Let every call raise `TryLater` for a while."""
        self._dark_until = self.clock.now + lasts

    def blind(self, lasts: dt.timedelta) -> None:
        """Let `observe` say unknown for a while."""
        self._blind_until = self.clock.now + lasts

    def clear_up(self) -> None:
        """Let the weather be calm from now on; deaths and evictions that were due do not come."""
        self.weather = Weather.calm()
        self._dark_until = self._blind_until = self.clock.now
        self._era += 1

    @property
    def is_blind(self) -> bool:
        """Whether servers cannot be seen now."""
        return self.clock.now < self._blind_until

    def call(self, name: str, effect: Callable[[], T]) -> T:
        """Make a provider's call: the weather may keep it from happening, or its answer from coming back."""
        self.calls[name] += 1
        self._tell(name, "before")
        self.progress()
        self._keep_from(name)
        self._put_off(name, effect)
        answer = effect()
        self._tell(name, "after")
        if self.chance("lost_answer", self.weather.lost_answer):
            raise TryLater(f"{name}: no answer came in time", delay=1.0)
        return answer

    def progress(self) -> None:
        """Let everything happen that is due by now."""
        self._agenda.run(self.clock.now)

    def after(self, span: Span, what: Callable[[dt.datetime], None], *, since: dt.datetime) -> None:
        """Let something happen a drawn length after `since`, at once if that is nothing."""
        wait = span.draw(self.rng)
        if wait:
            self._agenda.at(since + wait, what)
        else:
            what(since)

    def hourly(self, rate: float, what: Callable[[dt.datetime], None], *, since: dt.datetime) -> None:
        """Let something happen at a random moment, `rate` times an hour on average, unless the weather clears up."""
        if rate <= 0:
            return
        era = self._era

        def unless_clear(at: dt.datetime) -> None:
            if self._era == era:
                what(at)

        self._agenda.at(since + dt.timedelta(hours=self.rng.expovariate(rate)), unless_clear)

    def chance(self, kind: str, probability: float) -> bool:
        """Draw whether the weather strikes, and count it."""
        if probability <= 0 or self.rng.random() >= probability:
            return False
        self.faults[kind] += 1
        return True

    def then(self, lag: Span) -> dt.datetime | None:
        """Return as of when a read shows the world, or None for now."""
        behind = lag.draw(self.rng)
        if not behind:
            return None
        self.faults["stale"] += 1
        return self.clock.now - behind

    def _tell(self, name: str, when: str) -> None:
        if self.on_call is not None:
            self.on_call(name, when)

    def _keep_from(self, name: str) -> None:
        if self.clock.now < self._dark_until:
            self.faults["blackout"] += 1
            raise TryLater(f"{name}: nothing answers", delay=5.0)
        if self.chance("throttled", self.weather.throttled) or not self._take_token():
            raise TryLater(f"{name}: too many requests", delay=1.0)
        if self.chance("failed_call", self.weather.failed_call):
            raise self.rng.choice((TryLater, ProviderError))(f"{name}: internal error of the cloud")

    def _put_off(self, name: str, effect: Callable[[], object]) -> None:
        """Let a change be on its way still when its caller gives up."""
        if not name.partition(".")[2].startswith(_CHANGES) or not self.chance("late_effect", self.weather.late_effect):
            return

        def at_last(at: dt.datetime) -> None:
            with contextlib.suppress(GpudevError):
                effect()

        self._agenda.at(self.clock.now + self.weather.late.draw(self.rng), at_last)
        raise TryLater(f"{name}: no answer came in time", delay=1.0)

    def _take_token(self) -> bool:
        rate = self.weather.calls_per_second
        if rate is None:
            return True
        passed = (self.clock.now - self._filled).total_seconds()
        self._bucket, self._filled = min(rate * BURST, self._bucket + passed * rate), self.clock.now
        if self._bucket < 1:
            self.faults["throttled"] += 1
            return False
        self._bucket -= 1
        return True
