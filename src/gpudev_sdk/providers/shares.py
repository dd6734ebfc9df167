"""The ability `SharedStorage`: file systems that many boxes have at once, beside the disk that each has alone."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod

import attrs

from gpudev_sdk.domain.disk import Mount


@attrs.frozen(kw_only=True)
class ShareSpec:
    """A share to make. `share_id` is the operation id too: asking twice is asking once."""

    share_id: uuid.UUID
    #: Whose it is: files in it belong to this number, as in `VolumeSpec`.
    owner_number: int
    #: What it must hold at least; 0 where it grows by itself.
    size_bytes: int = 0
    zone: str = "local"


@attrs.frozen(kw_only=True)
class ShareRef:
    """Names a share: ours, and the cloud's handle once create told it."""

    share_id: uuid.UUID
    handle: str | None = None


@attrs.frozen(kw_only=True)
class ShareSighting:
    """What a look at a share saw."""

    share_id: uuid.UUID
    #: absent, present or unknown, as in `server.Presence`.
    presence: str
    ready: bool = False
    handle: str | None = None
    size_bytes: int | None = None
    reason: str = ""


class SharedStorage(ABC):
    """A storage class whose shares are mounted by any number of boxes at once. Laws 8.1 to 8.5.

    ```python
    class MyStorage(Storage, SharedStorage): ...
    ```
    """

    @abstractmethod
    def create_share(self, spec: ShareSpec) -> str:
        """Begin an empty share and return the cloud's handle; the same spec again returns the same handle."""

    @abstractmethod
    def get_share(self, share: ShareRef) -> ShareSighting:
        """Say how far it is."""

    @abstractmethod
    def list_shares(self) -> tuple[ShareSighting, ...]:
        """List every share of this install. A partial list is an error, never an answer."""

    @abstractmethod
    def mount_share(self, share: ShareRef) -> Mount:
        """Return how compute gets at it: `shared`, and both ids are the share's. Raises Unworkable if it is not there."""

    @abstractmethod
    def delete_share(self, share: ShareRef) -> None:
        """Remove a share, so that it is never mounted again; gone is fine. Raises Conflict while it is known to be mounted.

        Where the cloud cannot remove what was in it, the provider's page says so.
        """
