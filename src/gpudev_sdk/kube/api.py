"""Calls to an API server: plain JSON over the connections and credentials of the official client.

Objects stay dictionaries: making the official client's model objects costs five times the time and three times the
memory of the pods that they describe.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import attrs
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube.errors import ObjectAbsent, Refusal, TooOld, translate
from gpudev_sdk.kube.kinds import Json, Kind

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

#: Who owns the fields that we apply.
MANAGER = "gpudev"
_CONNECT, _READ = 5.0, 15.0
#: Silence after which a watch that should have ended is given up.
_OVERTIME = 10.0
_PAGE = 500
_JSON = "application/json"
_APPLY, _MERGE = "application/apply-patch+yaml", "application/merge-patch+json"


@attrs.frozen
class Event:
    """One line of a watch."""

    #: ADDED, MODIFIED, DELETED or BOOKMARK.
    what: str
    item: Json


@attrs.frozen
class Listing:
    """All objects of a kind at one version."""

    items: list[Json]
    version: str


class Api:
    """One API server, seen from one namespace. Threads may share it."""

    def __init__(self, client: ApiClient, namespace: str, *, overtime: float = _OVERTIME) -> None:
        self._client, self._overtime = client, overtime
        self._counting = threading.Lock()
        self.namespace = namespace
        #: Calls made, but for watches.
        self.calls = 0

    def find(self, kind: Kind, name: str) -> Json | None:
        """Return an object, or None if the API server said that there is none."""
        try:
            return self._ask("GET", kind, name)
        except ObjectAbsent:
            return None

    def list(self, kind: Kind, selector: str = "", *, fields: str = "") -> Listing:
        """Return all objects of a kind that label and field selectors name, at one version. Never a part of them."""
        for _ in range(3):
            try:
                return self._list(kind, {"labelSelector": selector} | ({"fieldSelector": fields} if fields else {}))
            except TooOld:
                continue
        raise TryLater(f"the {kind.plural} change faster than they can be listed")

    def create(self, kind: Kind, body: Json) -> Json:
        """Make an object; raise ObjectExists if there is one of its name."""
        return self._ask("POST", kind, None, {"fieldManager": MANAGER}, body)

    def apply(self, kind: Kind, body: Json) -> Json:
        """Make our fields of an object exactly these (server-side apply); it is made if it is not there."""
        options = {"fieldManager": MANAGER, "force": "true"}
        return self._ask("PATCH", kind, body["metadata"]["name"], options, body, _APPLY)

    def merge(self, kind: Kind, name: str, patch: Json) -> Json:
        """Change some fields of an object; raise ObjectAbsent if it is not there."""
        return self._ask("PATCH", kind, name, {"fieldManager": MANAGER}, patch, _MERGE)

    def replace(self, kind: Kind, body: Json) -> Json:
        """Put an object in the place of the version it names; raise ObjectChanged if that is not the newest."""
        return self._ask("PUT", kind, body["metadata"]["name"], {"fieldManager": MANAGER}, body)

    def delete(self, kind: Kind, name: str, *, uid: str | None = None) -> None:
        """Ask for an object's end, only if it is the one of `uid`; what is gone is fine."""
        body: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            self._ask("DELETE", kind, name, None, body)
        except ObjectAbsent:
            return

    def watch(self, kind: Kind, selector: str, version: str, seconds: int) -> Iterator[Event]:
        """Yield what changes after `version`, for about `seconds`; raise TooOld when a list is needed again."""
        options = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        response = self._send("GET", kind.path(self.namespace), options, None, (_JSON, seconds + self._overtime))
        try:
            for line in _lines(response):
                yield _event(line)
        finally:
            # Not given back to the pool: what the server still sends would be read by the next call.
            response.close()

    def _list(self, kind: Kind, selectors: dict[str, str]) -> Listing:
        items: list[Json] = []
        options = selectors | {"limit": str(_PAGE)}
        while True:
            page = self._ask("GET", kind, None, options)
            if not isinstance(page.get("items"), list):
                raise TryLater(f"the cluster answers something else than a list of {kind.plural}")
            items += page["items"]
            following = page["metadata"].get("continue")
            if not following:
                return Listing(items, page["metadata"]["resourceVersion"])
            options["continue"] = following

    def _ask(
        self, method: str, kind: Kind, name: str | None, options: Any = None, body: Any = None, content: str = _JSON
    ) -> Json:
        with self._counting:
            self.calls += 1
        response = self._send(method, kind.path(self.namespace, name), options, body, (content, _READ), asked=name)
        return _object(_whole(response))

    def _send(
        self, method: str, path: str, options: Any, body: Any, how: tuple[str, float], *, asked: str | None = None
    ) -> Any:
        content, patience = how
        config = self._client.configuration
        headers = {"Accept": _JSON, "Content-Type": content, "User-Agent": MANAGER}
        try:
            self._sign(headers, path, method)
            response = self._client.rest_client.pool_manager.request(
                method,
                config.host + path + (f"?{urlencode(options)}" if options else ""),
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
                timeout=Timeout(connect=_CONNECT, read=patience),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise TryLater(f"the cluster does not answer: {_words(error)}", delay=2.0) from error
        if response.status >= 300:
            given = {name.lower(): value for name, value in response.headers.items()}
            raise translate(Refusal.read(response.status, _whole(response), given), asked)
        return response

    def _sign(self, headers: dict[str, str], path: str, method: str) -> None:
        """Add our credentials, which the client renews where they expire."""
        from kubernetes.config.config_exception import ConfigException

        try:
            self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        except ConfigException as error:
            raise TryLater(f"our credentials cannot be renewed: {error}", delay=30.0) from error


def _object(content: bytes) -> Json:
    """Read an answer; a success that no Kubernetes API wrote is a proxy's."""
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "kind" not in answer:
        raise TryLater("something else than a Kubernetes API answers there", delay=2.0)
    return answer


def _whole(response: Any) -> bytes:
    """Read an answer to its end, and give its connection back."""
    try:
        content: bytes = response.read()
    except (HTTPError, OSError) as error:
        raise TryLater(f"the cluster stopped in the middle of an answer: {_words(error)}", delay=2.0) from error
    finally:
        response.release_conn()
    return content


def _lines(response: Any) -> Iterator[bytes]:
    """Yield the lines of a watch; a silence longer than the watch itself is an error, not an end."""
    rest = b""
    try:
        for chunk in response.stream(amt=None, decode_content=True):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from filter(None, lines)
    except (HTTPError, OSError) as error:
        raise TryLater(f"the watch broke off: {_words(error)}", delay=1.0) from error
    if rest:
        raise TryLater("the watch sent something else than events, or broke off in one", delay=1.0)


def _event(line: bytes) -> Event:
    try:
        plain = json.loads(line)
        what, item = plain["type"], plain["object"]
        _ = item["code"] if what == "ERROR" else item["metadata"]["resourceVersion"]
    except (ValueError, KeyError, TypeError) as error:
        raise TryLater("the watch sent something else than events", delay=1.0) from error
    if what == "ERROR":
        raise translate(Refusal.read(int(item["code"]), json.dumps(item).encode(), {}), None)
    return Event(what, item)


def _words(error: Exception) -> str:
    return str(error).partition("Caused by")[2].strip("() ") or str(error) or type(error).__name__
