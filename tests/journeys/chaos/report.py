"""What a run came to, and the table of it for docs/figures.md."""

from __future__ import annotations

import statistics
from collections import Counter

import attrs

from tests.journeys.chaos.tormentor import Times

KILLS = ("processor", "gpudev up", "box supervisor", "box")
RESTARTS = ("postgres at once", "postgres backend")
ENDS = ("ended by cancel", "ended by expire", "ended by vanish")
STOPS = ("stop a processor", "stop gpudev up")
#: Seconds within which each recovery must come.
BARS = {"worker": 45.0, "database": 5.0, "message": 20.0}


@attrs.frozen(kw_only=True)
class Result:
    """Everything counted in one run."""

    seed: int
    seconds: float
    torments: Counter[str]
    done: Counter[str]
    messages: dict[str, int]
    request_cuts: int
    lifecycles: int
    acknowledged: int
    checks: int
    checks_away: int
    times: Times
    violations: list[str]
    lost: list[str]
    lost_markers: list[str]
    left: list[str]
    faults: list[str]

    @property
    def kills(self) -> int:
        """How many SIGKILLs of our processes; those of PostgreSQL are its restarts."""
        return sum(self.torments[card] for card in KILLS)

    @property
    def restarts(self) -> int:
        """How often PostgreSQL went through recovery."""
        return sum(self.torments[card] for card in RESTARTS)

    @property
    def slow(self) -> list[str]:
        """Recoveries that took longer than they may."""
        return [
            f"recovery of a {name} took {seconds:.1f} s, over {BARS[name]:.0f} s"
            for name, samples in attrs.asdict(self.times).items()
            for seconds in samples
            if seconds > BARS[name]
        ]

    @property
    def wrongs(self) -> list[str]:
        """Everything that must not be."""
        lost = [f"lost: {what}" for what in self.lost] + [f"lost marker: {marker}" for marker in self.lost_markers]
        return [*self.faults, *self.violations, *lost, *(f"left over: {what}" for what in self.left), *self.slow]

    def table(self) -> str:
        """Return it as Markdown."""
        did, done = self.torments, self.done
        rows = [
            (f"seed {self.seed}, minutes of torment", f"{self.seconds / 60:.1f}"),
            ("SIGKILL, in all", self.kills),
            ("of a processor / `gpudev up` with the API / a box's supervisor / a box", _each(did, KILLS)),
            ("PostgreSQL: ended at once / one backend killed", _each(did, RESTARTS)),
            ("SIGSTOP past the lease, then SIGCONT: a processor / `gpudev up`", _each(did, STOPS)),
            (
                "times database connections were cut / requests cut in the middle",
                f"{did['cut database']} / {self.request_cuts}",
            ),
            ("messages lost / doubled", _each(Counter(self.messages), ("lost", "doubled"))),
            ("lifecycles", self.lifecycles),
            ("acknowledged: reserve / cancel / extend", f"{self.acknowledged} / {_each(done, ('cancel', 'extend'))}"),
            ("commands run in boxes / calls that had to be tried again", _each(done, ("exec", "calls tried again"))),
            ("boxes ended while writing by cancel / expiry / kill -9", _each(done, ENDS)),
            ("disk cycles / restores of the newest snapshot", _each(done, ("disk cycles", "restores"))),
            ("markers synced and acknowledged", done["markers"]),
            ("checks of all laws (while the database was away)", f"{self.checks} ({self.checks_away})"),
            ("**violations**", len(self.violations)),
            ("**acknowledged and lost**", len(self.lost)),
            ("**markers lost**", len(self.lost_markers)),
            ("**left over at the end**", len(self.left)),
        ]
        rows += [_recovery(what, name, getattr(self.times, name)) for name, what in RECOVERIES.items()]
        return "\n".join(["| what | figure |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)])


def _each(counter: Counter[str], names: tuple[str, ...]) -> str:
    return " / ".join(str(counter[name]) for name in names)


RECOVERIES = {
    "worker": "a worker killed → its row taken up again",
    "database": "PostgreSQL back → the API healthy",
    "message": "messages lost → all their rows handled",
}


def _recovery(what: str, name: str, samples: list[float]) -> tuple[str, str]:
    bar = f"bar ≤ {BARS[name]:.0f} s"
    if not samples:
        return what, f"no sample, {bar}"
    return what, f"median {statistics.median(samples):.2f} s, worst {max(samples):.2f} s of {len(samples)}, {bar}"
