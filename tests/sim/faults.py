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
        "submit", "edit", "create-disk", "delete-disk", "undelete-disk", "ask-snapshot", "restore-disk",
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
#: Steps that everybody takes all the time.
FREQUENT = frozenset(
    {"plan", "serve", "note-inventory", "read-message", "archive-message", "record-lease", "record-rest", "record-claim",
     "write-claim", "record-disk-lease", "record-disk-rest", "submit", "edit"}
)  # fmt: skip
#: How likely a fault is where a seed looks closely: at a step that is taken often, and at others.
OFTEN, SELDOM = 0.05, 0.5
#: Steps that are taken a few times in a run at most: every seed tries one mode of each.
RARE = frozenset(
    {"record-claim-written", "record-purge", "record-needs-attention", "record-no-asked-snapshot", "record-no-snapshot",
     "record-endpoint", "record-credit", "record-machine-restarted", "terminate-stray", "record-asked-snapshot-seen",
     "restore-disk", "create-volume-from-snapshot", "record-to-queued", "record-lease-renewed"}
)  # fmt: skip
#: Reached with snapshots that somebody else deletes, which a simulation allows only where it loses nothing
#: (tests/contract/engine/test_lost_snapshot.py), and with a database that is older than the world (test_differences.py).
ELSEWHERE = frozenset({"record-snapshot-lost", "hold-back"})
CELLS = tuple((step, mode) for step in sorted(STEPS) for mode in MODES)
#: Longer than a lease.
PAUSE = (21.0, 90.0)


@attrs.define
class Faults:
    """Decides at each boundary, from the seed alone."""

    rng: random.Random
    #: How likely each mode is where nothing is said.
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
            for mode in modes:
                likely = (OFTEN if step in FREQUENT else SELDOM) if (step, mode) in self.focus else self.rate
                if self.rng.random() < likely:
                    return mode
        return "switch" if self.rng.random() < self.switching else "go"

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


def focus_of(seed: int, count: int = 8) -> frozenset[tuple[str, str]]:
    """Return the cells that a seed looks at closely: all of them in turn, over the seeds."""
    turn = {CELLS[(seed * count + number) % len(CELLS)] for number in range(count)}
    return frozenset(turn | {(step, MODES[(seed + place) % len(MODES)]) for place, step in enumerate(sorted(RARE))})
