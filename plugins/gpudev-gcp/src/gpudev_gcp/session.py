"""The one way to Google's APIs: clients made once, limits of time and of how often, credentials, errors in our words.

`google.cloud.compute_v1` takes seconds to import, so it is loaded by a thread when a first call needs it; a call that would wait
long for that raises TryLater. Credentials are those of https://cloud.google.com/docs/authentication/application-default-credentials
"""

from __future__ import annotations

import concurrent.futures
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import attrs

from gpudev_gcp.buckets import bucket
from gpudev_gcp.errors import ObjectAbsent, translated
from gpudev_gcp.settings import GcpSettings, is_this_machine
from gpudev_sdk import clock
from gpudev_sdk.errors import TryLater

#: https://cloud.google.com/docs/authentication#authorization-gcp ; what we may do is said by roles, not by scopes.
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
#: Seconds that one call may take, that a call waits for its turn, and for Google's library to be there.
_CALL, _TURN, _LOADING = 15.0, 2.0, 4.0
#: Seconds in which a read is made again that met a broken connection or an overloaded server.
_REPEATED = 3.0
#: Pages of a list: the most that Compute gives.
PAGE = 500
Method = Callable[..., Any]


@attrs.frozen(kw_only=True)
class _Opened:
    """What was loaded: the library, who we are, and how reads are repeated."""

    library: Any
    credentials: Any
    repeated: Any


class Session:
    """Google's APIs as one backend uses them. Thread-safe; nothing is loaded or dialled before a first call."""

    def __init__(self, settings: GcpSettings, credentials: Callable[[], Any] | None = None) -> None:
        self.settings = settings
        self._find_credentials = credentials or self._default_credentials
        self._lock, self._renewing = threading.Lock(), threading.Lock()
        self._loading: concurrent.futures.Future[_Opened] | None = None
        self._clients: dict[str, Any] = {}

    @property
    def disks(self) -> Any:
        """Return the client of disks."""
        return self.client("DisksClient")

    @property
    def snapshots(self) -> Any:
        """Return the client of snapshots."""
        return self.client("SnapshotsClient")

    @property
    def instances(self) -> Any:
        """Return the client of instances."""
        return self.client("InstancesClient")

    @property
    def zone_operations(self) -> Any:
        """Return the client of operations in zones: the one inside others' futures asks Google whatever `endpoint` says."""
        return self.client("ZoneOperationsClient")

    @property
    def global_operations(self) -> Any:
        """Return the client of operations that are of no zone, and of lists over all."""
        return self.client("GlobalOperationsClient")

    def client(self, name: str) -> Any:
        """Return a client of `google.cloud.compute_v1` by the name of its class."""
        opened = self._open()
        with self._lock:
            if name not in self._clients:
                options = {"api_endpoint": self.settings.endpoint} if self.settings.endpoint else None
                with translated("open the Compute API"):
                    made = getattr(opened.library, name)(credentials=opened.credentials, client_options=options)
                self._clients[name] = made
            return self._clients[name]

    def read(self, what: str, method: Method, **request: Any) -> Any:
        """Make a call that changes nothing; `what` completes "cannot …". It is repeated for a moment where that helps."""
        repeated = self._open().repeated
        self.wait_turn("compute")
        with translated(what):
            return method(request={"project": self.settings.project, **request}, retry=repeated, timeout=_CALL)

    def find(self, what: str, method: Method, name: str, **request: Any) -> Any | None:
        """Read one object; None if the API says that this very object, by its name, is not there."""
        return _unless_absent(name, lambda: self.read(what, method, **request))

    def pages(self, what: str, method: Method, **request: Any) -> list[Any]:
        """Read a whole list, page by page, each a call that waits for its turn; raise TryLater for a partial one."""
        found: list[Any] = []
        token = ""
        while True:
            pager = self.read(what, method, max_results=PAGE, page_token=token, **request)
            # The pager's own walk would ask on without a turn; its first page is there already.
            page = next(iter(pager.pages))
            _whole(what, page)
            found.append(page)
            token = page.next_page_token
            if not token:
                return found

    def write(self, what: str, method: Method, **request: Any) -> Any:
        """Make a call that begins something, once: after a lost answer the caller looks before it asks again."""
        self._open()
        self.wait_turn("compute")
        with translated(what):
            return method(request={"project": self.settings.project, **request}, retry=None, timeout=_CALL)

    def remove(self, what: str, method: Method, name: str, **request: Any) -> Any | None:
        """Begin to delete one object; None if the API says that this very object, by its name, is not there."""
        return _unless_absent(name, lambda: self.write(what, method, **request))

    def rest(self, what: str, api: str, verb: str, url: str, body: Any = None) -> Any:
        """Call an API that has no client here, and return its JSON; errors are those of any other call."""
        opened = self._open()
        self.wait_turn(api)
        with translated(what):
            from google.api_core.exceptions import from_http_response
            from google.auth.transport.requests import AuthorizedSession

            with AuthorizedSession(opened.credentials) as http:  # type: ignore[no-untyped-call]
                answer = http.request(verb, url, json=body, timeout=_CALL)  # type: ignore[no-untyped-call]
                if answer.status_code >= 400:
                    raise from_http_response(answer)  # type: ignore[no-untyped-call]
                return answer.json()

    def token(self) -> str:
        """Return an access token, made new before it ends."""
        opened = self._open()
        with translated("get a token"):
            from google.auth.transport.requests import Request

            with self._renewing:
                if not opened.credentials.valid:
                    request = Request()
                    try:
                        opened.credentials.refresh(functools.partial(request, timeout=_CALL))
                    finally:
                        request.session.close()
                return str(opened.credentials.token)

    @property
    def credentials(self) -> Any:
        """Return who we are, for other libraries of Google's."""
        return self._open().credentials

    def wait_turn(self, api: str) -> None:
        """Wait for our turn to call an API; raise TryLater if it would not come soon."""
        limits = bucket((api, self.settings.project, self.settings.endpoint), self.settings.calls_per_second)
        wait = limits.take(clock.monotonic(), _TURN)
        if wait is None:
            raise TryLater("too many calls to Google wait already", delay=_TURN)
        if wait:
            time.sleep(wait)

    def close(self) -> None:
        """Let go of all connections; a later call opens new ones."""
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.transport.close()

    def _open(self) -> _Opened:
        with self._lock:
            if self._loading is None:
                self._loading = _in_thread(self._load)
            loading = self._loading
        if not concurrent.futures.wait([loading], timeout=_LOADING).done:
            raise TryLater("Google's library is being loaded", delay=1.0)
        if loading.exception() is not None:
            # It is told to whoever asks now; the next one tries again.
            with self._lock:
                self._loading = None
        with translated("find credentials"):
            return loading.result()

    def _load(self) -> _Opened:
        from google.api_core import exceptions
        from google.api_core.retry import Retry, if_exception_type
        from google.cloud import compute_v1
        from requests.exceptions import ConnectionError as Disconnected

        again = if_exception_type(exceptions.BadGateway, exceptions.ServiceUnavailable, Disconnected)
        return _Opened(
            library=compute_v1,
            credentials=self._find_credentials(),
            repeated=Retry(predicate=again, initial=0.1, maximum=1.0, timeout=_REPEATED),
        )

    def _default_credentials(self) -> Any:
        if is_this_machine(self.settings.endpoint):
            from google.auth.credentials import AnonymousCredentials

            return AnonymousCredentials()  # type: ignore[no-untyped-call]
        from google.auth import default

        return default(scopes=_SCOPES)[0]


def _unless_absent(name: str, call: Callable[[], Any]) -> Any | None:
    try:
        return call()
    except ObjectAbsent as absent:
        if absent.resource.rpartition("/")[2] == name:
            return None
        raise


def _in_thread(load: Callable[[], _Opened]) -> concurrent.futures.Future[_Opened]:
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="gpudev-gcp-loading")
    try:
        return pool.submit(load)
    finally:
        pool.shutdown(wait=False)


def _whole(what: str, page: Any) -> None:
    """Raise TryLater for a page that leaves something out: https://cloud.google.com/compute/docs/reference/rest/v1/disks/aggregatedList"""
    missing = list(getattr(page, "unreachables", ()))
    scopes = getattr(page, "items", {})
    if hasattr(scopes, "items"):
        missing += [scope for scope, part in scopes.items() if part.warning.code == "UNREACHABLE"]
    if page.warning.code == "UNREACHABLE" and not missing:
        missing.append("a part of it")
    if missing:
        raise TryLater(f"cannot {what}: Google cannot see {', '.join(sorted(missing))[:200]} now", delay=10.0)
