"""How logins and channels of a gateway came out, counted since its start."""

from __future__ import annotations

from typing import Literal

Login = Literal["in", "full", "cannot-tell"]
Channel = Literal["open", "refused", "no-answer", "cannot-tell", "full"]


class Tally:
    """The counts. They are read from other threads, so all keys are there from the beginning."""

    def __init__(self) -> None:
        self.logins: dict[str, int] = {"in": 0, "full": 0, "cannot-tell": 0}
        self.channels: dict[str, int] = {"open": 0, "refused": 0, "no-answer": 0, "cannot-tell": 0, "full": 0}

    def login(self, outcome: Login) -> None:
        """Count a login: let in, one connection too many, or the rows could not be asked."""
        self.logins[outcome] += 1

    def channel(self, outcome: Channel) -> None:
        """Count a channel that was asked for: opened, not theirs, the box is silent, the rows could not be asked, too many."""
        self.channels[outcome] += 1
