"""Everything that can be asked of a server, one method a question."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, Unpack

import msgspec
from msgspec import Struct

from gpudev_sdk.client.api import STREAM_PATIENCE, Api
from gpudev_sdk.client.collections import Admin, Disks, Keys
from gpudev_sdk.client.places import Places
from gpudev_sdk.client.problems import Garbled
from gpudev_sdk.client.refs import part
from gpudev_sdk.client.requests import Options, make_body, seconds
from gpudev_sdk.client.targets import Target
from gpudev_sdk.client.transport import STREAM_SILENCE
from gpudev_sdk.client.values import Availability, Reservation, ReservationList
from gpudev_sdk.errors import ServerUnreachable, Unavailable
from gpudev_sdk.wire.account_views import MeView
from gpudev_sdk.wire.bodies import ExtendBody, ReserveBody
from gpudev_sdk.wire.views import DryRunView, EventsView, EventView, GpuTypesView, GpuTypeView, QueueView, ServerView

PAGE = 200


class _Page(Struct, frozen=True, kw_only=True):
    items: list[Reservation]
    next: str | None = None


class Calls:
    """A server, and who one is there. `Client` adds what brings up and uses boxes; the command line needs only this."""

    def __init__(self, api: Api, places: Places, target: Target) -> None:
        self.api = api
        self.places = places
        #: Our name of the install; `local` is the server on this machine.
        self.install = target.name
        #: What tells it from another of that name: its origin and pin, or its data folder.
        self.address = target.address
        #: The host that was dialled; None is this machine.
        self.host = target.host
        #: The key file that boxes are to be offered, where one was named at the login.
        self.key = target.install.key if target.install is not None else ""
        self.disks = Disks(api)
        self.keys = Keys(api)
        self.admin = Admin(api)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections; reservations stay."""
        self.close()

    def __repr__(self) -> str:
        """Say which server it is."""
        return f"<gpudev client of {self.api.transport.where}>"

    def close(self) -> None:
        """Close the connections; reservations stay."""
        self.api.transport.close()

    def server(self) -> ServerView:
        """Say who answers there."""
        return self.api.get("/server", ServerView)

    def me(self) -> MeView:
        """Say who one is, and what one has and may have."""
        return self.api.get("/me", MeView)

    def availability(self) -> Availability:
        """Say what could start now and what when, and who holds what until when."""
        return self.api.get("/availability", Availability)

    def gpu_types(self) -> list[GpuTypeView]:
        """Return the catalogue."""
        return self.api.get("/gpu-types", GpuTypesView).items

    def queue(self) -> QueueView:
        """Say who waits for what."""
        return self.api.get("/queue", QueueView)

    def dry_run(self, gpu_type: str, *, hours: float, **options: Unpack[Options]) -> DryRunView:
        """Say where and when a request would start; takes what `reserve` takes, and changes nothing."""
        return self.dry_run_body(make_body(gpu_type, hours, **options))

    def dry_run_body(self, body: ReserveBody) -> DryRunView:
        """Say where and when a whole request would start."""
        return self.api.post("/dry-run", DryRunView, body)

    def submit(self, body: ReserveBody, key: str | None = None) -> Reservation:
        """Put a request in line and return at once; the same key again returns the same reservation."""
        return self.api.post_keyed("/reservations", Reservation, body, key or str(uuid.uuid4()))

    def show(self, ref: str) -> Reservation:
        """Return one's reservation by name, id, or the beginning of one; raise NotFound."""
        return self.api.get(f"/reservations/{part(ref, 'reservation')}", Reservation)

    def history(self, ref: str) -> list[EventView]:
        """Return everything that happened to a reservation, oldest first."""
        return self.api.get(f"/reservations/{part(ref, 'reservation')}/history", EventsView).items

    def list(self, *, state: str = "live", limit: int = PAGE) -> ReservationList:
        """List one's reservations, newest first; `state` is live, ended or all, `limit` how many at most."""
        found = ReservationList()
        after: str | None = None
        while len(found) < limit:
            page = self.api.get("/reservations", _Page, state=state, limit=min(PAGE, limit - len(found)), after=after)
            found.extend(page.items)
            after = page.next
            if after is None or not page.items:
                break
        return found

    def cancel(self, ref: str) -> Reservation:
        """Ask for the end of a reservation; asking again changes nothing."""
        ended = self.api.delete(f"/reservations/{part(ref, 'reservation')}", Reservation)
        return ended if ended is not None else self.show(ref)

    def extend(self, ref: str, hours: float) -> Reservation:
        """Grant a reservation more time. Not tried again by itself: twice would be twice the time."""
        body = ExtendBody(seconds=seconds(hours, "hours"))
        return self.api.post(f"/reservations/{part(ref, 'reservation')}/extend", Reservation, body)

    def watch(self, ref: str, timeout: float | None = None) -> Iterator[Reservation]:
        """Yield the reservation now and whenever it changes, until it has ended or `timeout` seconds are over.

        Connects again when cut off; raises Unavailable when the server stays away for a minute.
        """
        path, last = f"/reservations/{part(ref, 'reservation')}/events", None
        absence = _Absence(timeout)
        while not absence.time_is_over:
            try:
                for line in self.api.lines(path, absence.silence):
                    absence.heard()
                    view = _view(line)
                    if view is not None and view != last:
                        yield view
                        last = view
                    if absence.is_nearly_over or (last is not None and not last.is_live):
                        break
            except Garbled:
                raise
            except Unavailable as error:
                absence.note(error, is_first=last is None)
            if last is not None and not last.is_live:
                return
            absence.pause()

    def reached(
        self, ref: str, wanted: Callable[[Reservation], bool], timeout: float | None = None
    ) -> Reservation | None:
        """Watch a reservation until it is as wanted, or has ended, and return it; None when the time is over first."""
        for view in self.watch(ref, timeout):
            if wanted(view) or not view.is_live:
                return view
        return None


def _view(line: bytes) -> Reservation | None:
    """Read one line of the stream; comments and blanks are signs of life and no news."""
    if not line.startswith(b"data:"):
        return None
    try:
        return msgspec.json.decode(line[5:], type=Reservation)
    except (ValueError, RecursionError) as error:
        raise Garbled("the server's news cannot be read", hint="Try again: gpudev show.") from error


class _Absence:
    """How long a stream has been away, and how much time is left."""

    def __init__(self, timeout: float | None) -> None:
        self._end = math.inf if timeout is None else time.monotonic() + timeout
        self._gone_at: float | None = None
        self._pause = 0.1

    @property
    def time_is_over(self) -> bool:
        return time.monotonic() >= self._end

    @property
    def silence(self) -> float:
        """How long to wait for the next line."""
        return max(0.01, min(STREAM_SILENCE, self._end - time.monotonic()))

    @property
    def is_nearly_over(self) -> bool:
        """Whether the stream has to be opened anew, to wait for less than a line's time."""
        return self._end - time.monotonic() < STREAM_SILENCE

    def heard(self) -> None:
        self._gone_at, self._pause = None, 0.1

    def note(self, error: Unavailable, *, is_first: bool) -> None:
        """Count an absence; raise its error when it was never there or is away too long."""
        now = time.monotonic()
        self._gone_at = self._gone_at or now
        never = is_first and isinstance(error, ServerUnreachable)
        if not self.time_is_over and (never or now - self._gone_at > STREAM_PATIENCE):
            raise error

    def pause(self) -> None:
        time.sleep(max(0.0, min(self._pause, self._end - time.monotonic())))
        self._pause = min(self._pause * 2, 2.0)
