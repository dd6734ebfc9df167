"""What goes wrong between a plugin and the API it calls: one call is cut, refused, carried out unheard, or its caller's last."""

from __future__ import annotations

from gpudev_sdk.fault import SimulatedCrash
from gpudev_sdk.testing.cloud import SimulatedCloud

#: So often a process dies between two calls of an API, while the weather is bad.
DIES = 0.01
#: A provider makes some calls of its API for one of ours, and each may go wrong.
PART = 0.4
#: What makes or removes something is called seldom, and matters most: in bad weather its answer is lost so often at least.
UNHEARD = 0.2


class Wire:
    """The way between them, in the weather there is. Only one actor runs, so that chance is asked in the order of the calls."""

    def __init__(self) -> None:
        self.cloud: SimulatedCloud | None = None
        self._dead = False

    def strike(self, *, changes: bool = False) -> str | None:
        """Return what happens to a call: None (nothing), `cut` before it is carried out, `lose` its answer, or `refuse` it.

        `changes`: the call makes or removes something of the cloud's own.
        """
        cloud = self.cloud
        if cloud is None or self._dead:
            # Who is dead sends nothing.
            return "cut" if self._dead else None
        weather = cloud.weather
        stormy = bool(weather.failed_call or weather.lost_answer or weather.throttled)
        if stormy and cloud.chance("died in a call", DIES):
            self._dead = True
            return "lose" if cloud.rng.random() < 0.5 else "cut"
        for what, likely in (
            ("cut", weather.failed_call * PART),
            ("lose", max(weather.lost_answer * PART, UNHEARD * (changes and stormy))),
            ("refuse", weather.throttled * PART),
        ):
            if cloud.chance(f"wire: {what}", likely):
                return what
        return None

    def bury(self) -> None:
        """Have the process die whose call it was, if it died."""
        if self._dead:
            self._dead = False
            raise SimulatedCrash("died between two calls of an API")
