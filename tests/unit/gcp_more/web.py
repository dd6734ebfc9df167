"""A web server on this machine that answers as a test says, and notes what it was asked."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Callable, Iterable

import attrs


@attrs.frozen(kw_only=True)
class Asked:
    """One request."""

    verb: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body) if self.body else {}


@attrs.frozen(kw_only=True)
class Reply:
    """One answer; with `pieces` it comes bit by bit, and says not how long it is."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = attrs.field(factory=dict)
    pieces: Iterable[bytes] | None = None

    @classmethod
    def of(cls, plain, status: int = 200, **headers: str) -> Reply:
        return cls(
            status=status, body=json.dumps(plain).encode(), headers={"Content-Type": "application/json"} | headers
        )


Answer = Callable[[Asked], Reply]


@attrs.define
class Web:
    """The server."""

    answer: Answer = attrs.field(default=lambda asked: Reply(status=404))
    asked: list[Asked] = attrs.field(factory=list)
    #: Set when it closes: what waits for the end of a test waits for this.
    closing: threading.Event = attrs.field(factory=threading.Event)
    #: What went wrong in the answering itself.
    broken: list[BaseException] = attrs.field(factory=list)
    _server: http.server.ThreadingHTTPServer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.web = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        assert self.broken == []


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    web: Web

    def handle_error(self, request, client_address) -> None:
        """Note a mistake of the test's; a client that went away is none."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.web.broken.append(error)


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        web = self.server.web
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(verb=self.command, target=self.path, headers=dict(self.headers.items()), body=body)
        web.asked.append(asked)
        reply = web.answer(asked)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.pieces is None:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        for piece in reply.pieces or (reply.body,):
            self.wfile.write(piece)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET
