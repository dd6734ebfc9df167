"""How many connections the gateway keeps, and which one goes when there are too many.

A connection that has not logged in costs a stranger nothing, so strangers never keep others out: the oldest silent one
goes when a newcomer would be too many. People who logged in keep what they have; one more is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

import attrs

from gpudev_services.gateway.tally import Tally


@attrs.frozen(kw_only=True)
class Caps:
    """The numbers."""

    #: Connections that have not logged in yet.
    silent_per_address: int = 30
    silent: int = 200
    #: Connections that have.
    per_address: int = 500
    per_user: int = 100
    total: int = 2000
    #: Channels open at once on one connection.
    channels: int = 32
    #: Keys that a client may try on one connection; an agent may hold many.
    keys: int = 24
    #: Within which a login has to be complete.
    login_seconds: float = 20.0


class Counted(Protocol):
    """A connection, as it is counted."""

    @property
    def address(self) -> str:
        """Where it comes from."""

    @property
    def person(self) -> Hashable:
        """Who logged in."""

    def drop(self) -> None:
        """End it."""


C = TypeVar("C", bound=Counted)


class Doorway(Generic[C]):
    """Knows the connections of one gateway; used on its loop only."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.tally = Tally()
        #: In the order of their coming.
        self._silent: dict[C, None] = {}
        self._known: dict[C, Hashable] = {}
        self._by_address: Counter[Hashable] = Counter()
        self._by_person: Counter[Hashable] = Counter()

    @property
    def known(self) -> tuple[C, ...]:
        """Connections whose login is complete."""
        return tuple(self._known)

    @property
    def silent(self) -> int:
        """How many have not logged in."""
        return len(self._silent)

    @property
    def all(self) -> tuple[C, ...]:
        """Every connection."""
        return (*self._silent, *self._known)

    def enter(self, connection: C) -> None:
        """Count a newcomer; the oldest silent ones go if it is one too many."""
        self._silent[connection] = None
        same = [other for other in self._silent if other.address == connection.address]
        for crowd, cap in ((same, self.caps.silent_per_address), (list(self._silent), self.caps.silent)):
            for other in crowd[: max(0, len(crowd) - cap)]:
                if other in self._silent:
                    del self._silent[other]
                    other.drop()

    def admit(self, connection: C) -> bool:
        """Count a connection that has just logged in; False if it is one too many."""
        caps = self.caps
        full = (
            len(self._known) >= caps.total
            or self._by_address[connection.address] >= caps.per_address
            or self._by_person[connection.person] >= caps.per_user
        )
        if full or connection not in self._silent:
            return False
        del self._silent[connection]
        self._known[connection] = connection.person
        self._by_address[connection.address] += 1
        self._by_person[connection.person] += 1
        return True

    def leave(self, connection: C) -> None:
        """Forget a connection that ended."""
        self._silent.pop(connection, None)
        if connection not in self._known:
            return
        person = self._known.pop(connection)
        for counter, key in ((self._by_address, connection.address), (self._by_person, person)):
            counter[key] -= 1
            if counter[key] <= 0:
                del counter[key]
