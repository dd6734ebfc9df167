"""The ability `ObjectStorage`: named blobs beside volumes, replaced only by who knows what is there."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod

import attrs

#: What `put_object` and `delete_object` expect where there must be nothing yet.
NOTHING = ""


@attrs.frozen(kw_only=True)
class StoredObject:
    """One blob as a list or a put tells of it."""

    key: str
    #: Changes with every put; what a conditional put or delete names.
    version: str
    size_bytes: int
    stored_at: dt.datetime | None = None


class ObjectStorage(ABC):
    """A storage class that keeps blobs too, under keys of `a-z A-Z 0-9 . _ - /`, at most 512 characters.

    ```python
    class MyStorage(Storage, ObjectStorage): ...
    ```

    It lists, reads and removes only what lies under this install's own prefix. Laws 7.1 to 7.6.
    """

    @abstractmethod
    def put_object(self, key: str, content: bytes, *, expected: str | None = None) -> StoredObject:
        """Store a blob whole or not at all.

        `expected` is the version it replaces, `NOTHING` if there must be none, None to replace whatever is there. Raises
        Conflict if something else is there, InvalidRequest for an unlawful key.
        """

    @abstractmethod
    def find_object(self, key: str) -> tuple[StoredObject, bytes] | None:
        """Return a blob, or None if it was seen that there is none."""

    @abstractmethod
    def list_objects(self, prefix: str = "") -> tuple[StoredObject, ...]:
        """List the blobs whose keys begin so, by key. A partial list is an error, never an answer."""

    @abstractmethod
    def delete_object(self, key: str, *, expected: str | None = None) -> None:
        """Remove a blob; gone is fine. Raises Conflict if it is not the version expected; what it is not, stays."""
