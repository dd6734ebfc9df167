"""The laws that can be tried against a live backend without making, changing or deleting anything.

`gpudev plugins check NAME --backend B` tries them. The suites of `gpudev_sdk.testing` try all laws, and need pytest and a place
where things may be made; this needs neither. The numbers are those of docs/plugins/contract.md.
"""

from __future__ import annotations

from gpudev_sdk.laws.judge import judge
from gpudev_sdk.laws.law import Broken, Law, NotTried, Place, Result, Verdict

__all__ = ["Broken", "Law", "NotTried", "Place", "Result", "Verdict", "judge"]
