"""How many slots of one bin, and how many places for volumes of one node, are free from now to the end of time. Pure."""

from __future__ import annotations

import bisect
import math


class Profile:
    """A step function of free slots over time (seconds as floats; `math.inf` is never)."""

    __slots__ = ("free", "times", "version")

    def __init__(self, usable: int, now: float) -> None:
        self.times = [now]
        self.free = [usable]
        #: Counts the holdings put in; whoever remembered an earlier version must look again.
        self.version = 0

    def hold(self, start: float, end: float, slots: int) -> None:
        """Take `slots` from `start` until `end`."""
        first = self._cut(start)
        last = len(self.times) if end == math.inf else self._cut(end)
        for step in range(first, last):
            self.free[step] -= slots
        self.version += 1

    def _cut(self, moment: float) -> int:
        step = bisect.bisect_left(self.times, moment)
        if step < len(self.times) and self.times[step] == moment:
            return step
        if step == 0:
            return 0
        self.times.insert(step, moment)
        self.free.insert(step, self.free[step - 1])
        return step

    def earliest(self, slots: int, lasts: float, not_before: float) -> float:
        """Return the first moment from which `slots` stay free for `lasts` seconds, or `math.inf`."""
        times, free = self.times, self.free
        steps = len(times)
        step = max(0, bisect.bisect_right(times, not_before) - 1)
        while step < steps:
            if free[step] < slots:
                step += 1
                continue
            start = times[step] if times[step] > not_before else not_before
            step += 1
            while step < steps and free[step] >= slots:
                if times[step] - start >= lasts:
                    return start
                step += 1
            if step == steps or times[step] - start >= lasts:
                return start
        return math.inf

    def free_at(self, moment: float) -> int:
        """Return the slots free at `moment`."""
        return self.free[max(0, bisect.bisect_right(self.times, moment) - 1)]

    def peak(self) -> int:
        """Return the most slots that are ever free together."""
        return max(self.free)


class Both:
    """The slots of a bin and the places for volumes of its node, as one profile to those who need a volume as well."""

    __slots__ = ("_slots", "_volumes")

    def __init__(self, slots: Profile, volumes: Profile) -> None:
        self._slots, self._volumes = slots, volumes

    @property
    def version(self) -> int:
        """Counts what was put into either, so that it changes with each of them."""
        return self._slots.version + self._volumes.version

    def hold(self, start: float, end: float, slots: int) -> None:
        """Take `slots` and a place for a volume from `start` until `end`."""
        self._slots.hold(start, end, slots)
        self._volumes.hold(start, end, 1)

    def earliest(self, slots: int, lasts: float, not_before: float) -> float:
        """Return the first moment from which `slots` and a place stay free for `lasts` seconds, or `math.inf`."""
        moment = not_before
        while True:
            start = self._slots.earliest(slots, lasts, moment)
            moment = start if start == math.inf else self._volumes.earliest(1, lasts, start)
            if moment == start:
                return start

    def free_at(self, moment: float) -> int:
        """Return the slots free at `moment`."""
        return self._slots.free_at(moment)
