"""Token buckets: how often one process asks one API, whoever of it asks. Pure but for the one table of them."""

from __future__ import annotations

import threading

import attrs

#: A bucket that was not used holds this many seconds' worth.
_BURST_SECONDS = 2.0


@attrs.define
class Bucket:
    """Fills by `rate` tokens a second up to `size`; a call takes one. Taken in advance, tokens are owed."""

    rate: float
    size: float
    _tokens: float = attrs.field(default=attrs.Factory(lambda self: self.size, takes_self=True))
    _filled_at: float | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def take(self, now: float, longest: float) -> float | None:
        """Take a token and return how long to wait for it; None, and nothing taken, if that is over `longest` seconds."""
        with self._lock:
            since = 0.0 if self._filled_at is None else max(0.0, now - self._filled_at)
            tokens = min(self.size, self._tokens + since * self.rate)
            wait = max(0.0, (1.0 - tokens) / self.rate)
            taken = wait <= longest
            self._tokens, self._filled_at = tokens - taken, now
            return wait if taken else None


_buckets: dict[tuple[str, ...], Bucket] = {}
_table = threading.Lock()


def bucket(key: tuple[str, ...], rate: float) -> Bucket:
    """Return the one bucket of this process for what `key` names; the first who asks says its rate."""
    with _table:
        return _buckets.setdefault(key, Bucket(rate, max(1.0, rate * _BURST_SECONDS)))
