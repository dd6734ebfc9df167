"""An API server over HTTP on this machine, with the objects of `fake_store`, and the faults that a test asks for."""

from __future__ import annotations

import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import attrs
from kubernetes.client import ApiClient, Configuration

from gpudev_sdk.kube import kinds
from gpudev_sdk.kube.api import Api
from tests.unit.kube.fake_store import Json, Key, Refused, Store, matches

NAMESPACE = "gpu-dev"
_PATH = re.compile(r"/(?:api/(v1)|apis/([^/]+/[^/]+))(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?\Z")
_KINDS = {(kind.group_version, kind.plural): kind for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)}
_PAGE = b"<html><body>Bad Gateway</body></html>"


@attrs.frozen
class Call:
    """One call, as an API server authorizes it."""

    verb: str
    group: str
    resource: str
    #: Empty for what is in no namespace, and for all namespaces.
    namespace: str = ""
    name: str = ""
    options: dict[str, str] = attrs.field(factory=dict, eq=False, repr=False)


#: What happens to a call: None (nothing), "cut" before it is carried out, "lose" its answer afterwards, "page" of a proxy with
#: status 502, "page-200" with a success, "404" of a proxy, "half" an answer, a Status by its number.
Trouble = Callable[[Call], str | None]


@attrs.define
class FakeApi:
    """The server."""

    store: Store = attrs.field(factory=Store)
    calls: list[Call] = attrs.field(factory=list)
    trouble: Trouble = attrs.field(default=lambda call: None)
    #: What is refused by verb and resource: a status, a reason and a message.
    refuse: dict[tuple[str, str], tuple[int, str, str]] = attrs.field(factory=dict)
    #: A list is cut into pages of at most this many, whatever limit was asked for.
    page: int = 500
    #: Watches send nothing and do not end.
    stalled: bool = False
    #: How often watches were cut.
    cuts: int = 0
    _pages: dict[str, tuple[list[Json], int]] = attrs.field(factory=dict)
    _clients: list[ApiClient] = attrs.field(factory=list)
    _server: http.server.ThreadingHTTPServer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), self)
        threading.Thread(target=self._server.take, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def api(self, namespace: str = NAMESPACE, **options) -> Api:
        """Return a way to it, with connections of the official client."""
        configuration = Configuration()
        configuration.host, configuration.proxy = self.address, None
        configuration.connection_pool_maxsize = 8
        self._clients.append(ApiClient(configuration))
        return Api(self._clients[-1], namespace, **options)

    def cut_watches(self) -> None:
        """Break off every watch in the middle of a line."""
        with self.store.changed:
            self.cuts += 1
            self.store.changed.notify_all()

    def forget_pages(self) -> None:
        """Forget where lists were to be continued."""
        self._pages.clear()

    def close(self) -> None:
        """Serve nobody any more."""
        self.stalled = False
        _hang_up(self._server.socket)
        self._server.server_close()
        self.cut_watches()
        self._server.hang_up()
        for client in self._clients:
            client.rest_client.pool_manager.clear()

    def answer(self, call: Call, kind: kinds.Kind, method: str, content: str, body: Json | None) -> Json:
        """Carry out a call that is no watch."""
        key = (kind.plural, call.namespace, call.name or (body or {}).get("metadata", {}).get("name", ""))
        if (call.verb, call.resource) in self.refuse:
            raise Refused(*self.refuse[call.verb, call.resource])
        if call.verb == "list":
            return self._page_of(call, kind)
        if call.verb == "get":
            return self.store.get(key)
        if call.verb == "delete":
            return self.store.delete(key, ((body or {}).get("preconditions") or {}).get("uid"))
        if content == "application/apply-patch+yaml":
            return self.store.apply(key, body)
        change = {"POST": self.store.create, "PUT": self.store.replace, "PATCH": self.store.merge}[method]
        return change(key, body)

    def _page_of(self, call: Call, kind: kinds.Kind) -> Json:
        options, following = call.options, {}
        if "continue" in options:
            if options["continue"] not in self._pages:
                raise Refused(410, "Expired", "The provided continue parameter is too old")
            items, version = self._pages.pop(options["continue"])
        else:
            namespace = call.namespace if kind.namespaced else None
            items, version = self.store.list(kind.plural, namespace, options.get("labelSelector", ""))
        size = min(self.page, int(options.get("limit", self.page)))
        if items[size:]:
            following = {"continue": f"page-{len(self.calls)}"}
            self._pages[following["continue"]] = items[size:], version
        # Items of a list do not say their kind.
        shown = [
            {name: part for name, part in each.items() if name not in ("kind", "apiVersion")} for each in items[:size]
        ]
        metadata = {"resourceVersion": str(version), **following}
        return {"kind": f"{kind.name}List", "apiVersion": kind.group_version, "metadata": metadata, "items": shown}


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], fake: FakeApi) -> None:
        self.fake = fake
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def take(self) -> None:
        """Take connections until the server is closed; `serve_forever` would notice that late."""
        while True:
            try:
                request, address = self.socket.accept()
            except OSError:
                return
            self.process_request(request, address)

    def process_request(self, request, client_address) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        """Say nothing of a client that went away."""

    def hang_up(self) -> None:
        """Close what clients hold open."""
        for each in list(self._open):
            _hang_up(each)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _serve(self) -> None:
        fake, parts = self.server.fake, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        options = dict(parse_qsl(parts.query))
        match = _PATH.match(parts.path)
        kind = _KINDS.get((match[1] or match[2], match[4])) if match else None
        if kind is None:
            self._send(404, Refused(404, "NotFound", "the server could not find the requested resource").body())
            return
        verb = _verb(self.command, match[5], options)
        group = kind.group_version.rpartition("/")[0]
        call = Call(verb, group, kind.plural, match[3] or "", match[5] or "", options)
        if match[3] is None and kind.plural == "pods":
            kind = kinds.POD_ANYWHERE
        fake.calls.append(call)
        what = fake.trouble(call)
        if what is not None and what != "lose":
            self._break(what)
        elif verb == "watch":
            self._watch(call, kind)
        else:
            self._answer(call, kind, body, lose=what == "lose")

    def _answer(self, call: Call, kind: kinds.Kind, body: Json | None, *, lose: bool) -> None:
        content = self.headers.get("Content-Type", "")
        try:
            status, answer = 200, self.server.fake.answer(call, kind, self.command, content, body)
        except Refused as refusal:
            status, answer = refusal.status, refusal.body()
        if lose:
            self._break("cut")
        else:
            self._send(201 if status == 200 and self.command == "POST" else status, answer)

    def _break(self, what: str) -> None:
        if what in ("page", "page-200", "404"):
            status = {"page": 502, "page-200": 200, "404": 404}[what]
            self._send_bytes(status, _PAGE, "text/html")
        elif what.isdecimal():
            self._send(int(what), Refused(int(what), "", "as the test asked").body())
        else:
            if what == "half":
                self._head(200, "application/json", {"Content-Length": "1000"})
                self.wfile.write(b'{"kind": "Pod"')
                self.wfile.flush()
            self.close_connection = True
            _hang_up(self.connection)

    def _watch(self, call: Call, kind: kinds.Kind) -> None:
        fake, store = self.server.fake, self.server.fake.store
        cuts, ends = fake.cuts, time.monotonic() + int(call.options["timeoutSeconds"])
        version = int(call.options["resourceVersion"])
        self._head(200, "application/json", {"Transfer-Encoding": "chunked"})
        self.wfile.flush()
        while fake.cuts == cuts:
            is_over, seen = time.monotonic() > ends, store.version
            if not fake.stalled:
                version = self._tell(call, kind, version)
                if is_over or version < 0:
                    self.wfile.write(b"0\r\n\r\n")
                    return
            with store.changed:
                if fake.cuts == cuts and store.version == seen:
                    store.changed.wait(0.1)
        self.wfile.write(b'20\r\n{"type": "MODI')
        self.wfile.flush()
        self._break("cut")

    def _tell(self, call: Call, kind: kinds.Kind, version: int) -> int:
        """Send what changed after a version, and return the newest; -1 if that version is forgotten."""
        store, namespace = self.server.fake.store, call.namespace if kind.namespaced else None
        try:
            changes = store.since(version, kind.plural, namespace)
        except Refused as refusal:
            self._line("ERROR", refusal.body())
            return -1
        for _, what, item in changes:
            if matches(item, call.options.get("labelSelector", "")):
                self._line(what, item)
        newest = max([version, *(number for number, _, _ in changes)])
        if changes and call.options.get("allowWatchBookmarks") == "true":
            self._line("BOOKMARK", {"kind": kind.name, "metadata": {"resourceVersion": str(newest)}})
        return newest

    def _line(self, what: str, item: Json) -> None:
        line = json.dumps({"type": what, "object": item}).encode() + b"\n"
        # In two pieces, as lines of a watch do not come whole.
        for piece in (line[:10], line[10:]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()

    def _send(self, status: int, answer: Json) -> None:
        self._send_bytes(status, json.dumps(answer).encode(), "application/json")

    def _send_bytes(self, status: int, content: bytes, kind: str) -> None:
        self._head(status, kind, {"Content-Length": str(len(content))})
        self.wfile.write(content)

    def _head(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": kind} | headers).items():
            self.send_header(name, value)
        self.end_headers()


def _verb(method: str, name: str | None, options: dict[str, str]) -> str:
    """Return the verb of a call: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb"""
    if method == "GET" and name is None:
        return "watch" if options.get("watch") == "true" else "list"
    return {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[method]


def key_of(item: Json) -> Key:
    """Return where a store has an object."""
    plural = next(kind.plural for kind in _KINDS.values() if kind.name == item["kind"])
    return plural, item["metadata"].get("namespace", ""), item["metadata"]["name"]
