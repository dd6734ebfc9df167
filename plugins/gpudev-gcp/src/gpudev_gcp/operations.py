"""What became of a create: it is begun, and asked about later by the name of what it makes.

The library's own futures wait, and ask Google's public address whatever endpoint is set; here nothing waits. An operation is kept
for some days: https://cloud.google.com/compute/docs/reference/rest/v1/zoneOperations
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import attrs

from gpudev_gcp.errors import of_operation
from gpudev_gcp.session import Session
from gpudev_sdk.errors import TryLater

#: `snapshots.insert` is the one, `disks.createSnapshot` the other.
_MAKES = ("insert", "createSnapshot")


@attrs.frozen(kw_only=True)
class Attempt:
    """The newest try to make something."""

    name: str
    #: Empty for what is of no zone.
    zone: str
    #: Google's own number of what it makes.
    target_id: str
    done: bool
    #: Why it failed; empty while it did not.
    code: str = ""
    said: str = ""

    @property
    def reason(self) -> str:
        """Return why it failed, in Google's words."""
        return f"{self.code}: {self.said[:300]}" if self.code else ""


class Operations:
    """Operations of one project that make things."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: By name of the target: the failed operation that was told of.
        self._told: dict[str, str] = {}

    def newest(self, what: str, target: str, zone: str = "") -> Attempt | None:
        """Return the newest try to make `target`, such as `disks/NAME`, in one zone or anywhere."""
        criteria = f"targetLink eq .*/{target}"
        if zone:
            method = self._session.zone_operations.list
            found = [
                each for page in self._session.pages(what, method, zone=zone, filter=criteria) for each in page.items
            ]
        else:
            pages = self._session.pages(what, self._session.global_operations.aggregated_list, filter=criteria)
            found = [each for page in pages for part in page.items.values() for each in part.operations]
        made = [each for each in found if each.operation_type in _MAKES and each.target_link.endswith(f"/{target}")]
        return _attempt(max(made, key=_began)) if made else None

    def begin(
        self, what: str, id_: uuid.UUID, target: str, newest: Attempt | None, insert: Callable[[str], Any]
    ) -> str:
        """Begin to make a target that is not there, unless that was begun; return Google's number of it.

        A try that failed is told of once; who asks again then has it tried again. `insert` is given the id of the request, the
        same for the same try, so that Google makes one thing of two calls:
        https://cloud.google.com/compute/docs/reference/rest/v1/disks/insert
        """
        if newest is not None and not newest.done:
            return newest.target_id
        if newest is not None and newest.code and self._told.get(target) != newest.name:
            self._told[target] = newest.name
            raise of_operation(newest.code, newest.said, what)
        before = newest.name if newest is not None else self._told.get(target, "")
        begun = insert(str(uuid.uuid5(id_, before)))
        attempt = _attempt(begun)
        if attempt.code:
            self._told[target] = attempt.name
            raise of_operation(attempt.code, attempt.said, what)
        if not begun.target_link.endswith(f"/{target}"):
            raise TryLater(f"{target} is begun, and not shown yet", delay=1.0)
        return attempt.target_id


def raise_failed(operation: Any | None, what: str) -> None:
    """Raise the error of an operation that failed at once, if there is one."""
    attempt = _attempt(operation) if operation is not None else None
    if attempt is not None and attempt.code:
        raise of_operation(attempt.code, attempt.said, what)


def _attempt(operation: Any) -> Attempt:
    errors = list(operation.error.errors)
    return Attempt(
        name=operation.name,
        zone=operation.zone.rpartition("/")[2],
        target_id=str(operation.target_id),
        done=_status(operation) == "DONE",
        code=errors[0].code if errors else "",
        said=errors[0].message if errors else "",
    )


def _status(operation: Any) -> str:
    return str(getattr(operation.status, "name", operation.status))


def _began(operation: Any) -> dt.datetime:
    return dt.datetime.fromisoformat(operation.insert_time)
