"""Whether boxes of this machine are kept apart."""

from __future__ import annotations

import attrs

SANDBOX, NONE = "sandbox", "none"


@attrs.frozen
class Isolation:
    """Whether boxes are kept apart, and if not, why."""

    kind: str
    reason: str = ""
    hint: str = ""

    @property
    def supervisor(self) -> str:
        """The module that supervises boxes of this kind."""
        return "supervisor" if self.kind == SANDBOX else "plain_supervisor"
