"""What goes wrong at a step's boundary, and how often each of it was tried.

Four modes for every step: the process dies *before* it, dies *after* it, the step is *doubled* (its actor is paused past its
lease, another does the same, then it goes on), and *timeout*: it was done, but its actor is told otherwise.
"""

from __future__ import annotations

import collections
import random

import attrs

from gpudev_sdk.errors import TryLater, Unavailable
from gpudev_sdk.fault import SimulatedCrash

MODES = ("before", "after", "doubled", "timeout")
#: Steps outside the database: told otherwise, they say TryLater.
EFFECTS = frozenset(
    {
        "launch", "configure", "terminate", "terminate-stray", "snapshot", "asked-snapshot", "create-volume",
        "create-volume-from-snapshot", "delete-volume", "delete-snapshot", "write-claim",
    }
)  # fmt: skip
#: Every step of the engine that a simulation reaches; a step that is not here fails the run, so that none is forgotten.
STEPS = EFFECTS | frozenset(
    {
        "submit", "edit", "create-disk", "delete-disk", "undelete-disk", "ask-snapshot", "restore-disk", "leave-place",
        "plan", "serve", "note-inventory", "read-message", "archive-message",
        "record-lease", "record-lease-renewed", "record-rest", "record-trouble", "record-claim", "record-claim-written",
        "record-to-active", "record-to-stopping", "record-to-queued", "record-to-ended",
        "record-launch", "record-terminate", "record-gone", "record-detached", "record-warning", "record-notice-shown",
        "record-credit",
        "record-machine-restarted", "record-endpoint", "record-needs-attention",
        "record-volume", "record-volume-made", "record-volume-ready",
        "record-snapshot-intended", "record-snapshot-asked", "record-snapshot", "record-no-snapshot",
        "record-disk-released", "record-disk-lease", "record-disk-rest",
        "record-asked-snapshot", "record-asked-snapshot-seen", "record-no-asked-snapshot",
        "record-snapshot-going", "record-snapshot-deleted", "record-volume-going", "record-volume-deleted", "record-purge",
    }
)  # fmt: skip
#: About how often a step is taken in a seed of 52 lifecycles: what is seldom taken goes wrong more often there, so that all are
#: tried alike. Some are taken in few seeds; of those that can be refused only the ones that are done count. Deletions stand
#: higher than they are taken: what goes wrong at one keeps what is recorded after it from being reached at all.
TAKEN = {
    "record-no-asked-snapshot": 0.5, "terminate-stray": 0.6, "record-no-snapshot": 0.4, "create-volume-from-snapshot": 1,
    "record-purge": 0.7, "record-snapshot-deleted": 1, "record-asked-snapshot": 1, "record-asked-snapshot-seen": 1.5,
    "record-snapshot-going": 1.5, "record-credit": 1, "record-endpoint": 1, "record-claim-written": 1,
    "record-volume-going": 3, "record-volume-deleted": 3, "delete-volume": 6, "delete-snapshot": 5,
    "record-machine-restarted": 4, "record-lease-renewed": 5, "undelete-disk": 5, "create-disk": 5, "leave-place": 5,
    "record-needs-attention": 10, "restore-disk": 10, "delete-disk": 10, "asked-snapshot": 5, "record-volume-made": 15,
    "create-volume": 18, "record-volume-ready": 15, "record-detached": 15, "record-snapshot-asked": 15, "record-snapshot": 15,
    "record-snapshot-intended": 15, "snapshot": 15, "record-to-queued": 15, "record-volume": 20, "record-notice-shown": 15,
    "record-to-active": 25, "record-disk-released": 30, "record-launch": 40, "record-terminate": 40, "launch": 40,
    "record-to-ended": 50, "record-trouble": 40, "record-to-stopping": 60, "record-gone": 60, "terminate": 60, "edit": 60,
    "record-warning": 60, "record-disk-rest": 80, "configure": 100, "note-inventory": 100, "record-disk-lease": 120,
    "ask-snapshot": 100, "archive-message": 200, "submit": 200, "write-claim": 250, "record-claim": 250, "serve": 600,
    "plan": 800, "record-rest": 1200, "read-message": 1400, "record-lease": 1400,
}  # fmt: skip
#: How often one that is mostly refused is done: only then is there an end of it at which something could go wrong.
DONE = {"ask-snapshot": 4, "undelete-disk": 2}
#: As often, about, as points inside a transaction are passed, at which a process may only die, and steps of ELSEWHERE.
UNCOUNTED = 50
#: How often each mode of a step is tried in a seed, about: everywhere, and where it looks closely; how likely it is at most.
WIDELY, CLOSELY, SURE = 0.5, 12.0, 0.7
#: Cells that a seed looks at closely, and how far apart they are, so that no step has all modes at once.
FOCUS, STRIDE = 24, 10
#: Reached with snapshots that somebody else deletes, which a simulation allows only where it loses nothing
#: (tests/contract/engine/test_lost_snapshot.py), and with a database that is older than the world (test_differences.py).
ELSEWHERE = frozenset({"record-snapshot-lost", "record-disk-attention", "hold-back"})
CELLS = tuple((step, mode) for step in sorted(STEPS) for mode in MODES)
#: Longer than a lease.
PAUSE = (21.0, 90.0)


@attrs.define
class Faults:
    """Decides at each boundary, from the seed alone."""

    rng: random.Random
    #: How much goes wrong in this seed: 1.0 is usual.
    rate: float
    #: Cells that this seed tries often.
    focus: frozenset[tuple[str, str]]
    #: How likely the baton is given away at a boundary.
    switching: float
    calm: bool = False
    tried: collections.Counter[tuple[str, str]] = attrs.field(factory=collections.Counter)

    def decide(self, step: str, side: str) -> str:
        """Return what happens: a mode, `switch`, or `go`."""
        modes = ("before", "doubled") if side == "before" else ("after", "timeout")
        if not self.calm:
            for mode in modes if self.rng.random() < 0.5 else reversed(modes):
                if self.rng.random() < self._likely(step, mode):
                    return mode
        return "switch" if self.rng.random() < self.switching else "go"

    def _likely(self, step: str, mode: str) -> float:
        wished = CLOSELY if (step, mode) in self.focus else self.rate * WIDELY
        taken = TAKEN.get(step, UNCOUNTED)
        if mode in ("after", "timeout"):
            taken = DONE.get(step, taken)
        return min(SURE, wished / taken)

    def note(self, step: str, mode: str) -> None:
        """Count one that was really done."""
        self.tried[step, mode] += 1

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.tried.values())


def crash(step: str, side: str) -> SimulatedCrash:
    """Return the death of the process here."""
    return SimulatedCrash(f"{step}:{side}")


def timeout(step: str) -> Exception:
    """Return what the actor is told of a step that was done all the same."""
    if step in EFFECTS:
        return TryLater(f"no answer to {step}", delay=2.0)
    return Unavailable(f"the connection was lost at the end of {step}")


def focus_of(seed: int) -> frozenset[tuple[str, str]]:
    """Return the cells that a seed looks at closely: all of them in turn, over the seeds."""
    return frozenset(CELLS[(seed + STRIDE * number) % len(CELLS)] for number in range(FOCUS))
