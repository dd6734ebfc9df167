"""A proxy in front of moto's server: what moto lacks of the real EC2, and the trouble that a test asks for.

What it adds: a token of CreateVolume that makes asking twice asking once, volumes and snapshots that take a while, and content,
which goes from the volume that a snapshot is asked of to the volumes that are asked of the snapshot. What it can do to a call:
answer with an error, lose the answer of one that took effect, cut it before, or say another time of day.
"""

from __future__ import annotations

import collections
import email.utils
import http.client
import http.server
import re
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import attrs

_ERROR = "<?xml version='1.0'?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>"  # noqa: E501
#: What may be in the place of an answer.
Refusal = tuple[int, str, str]
_HOP = ("transfer-encoding", "content-length", "connection", "date", "server")


@attrs.define
class Weather:
    """The proxy. `address` is its own, `behind` that of moto."""

    behind: str
    #: Actions by name, in order.
    calls: list[str] = attrs.field(factory=list)
    #: The same with what was asked.
    asked: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)
    #: By action, or `*`: what to answer with, None being nothing; each is taken once, the last of all stays if `lasting`.
    refuse: dict[str, list[Refusal | None]] = attrs.field(factory=dict)
    lasting: bool = False
    #: Actions whose next answer is lost, after they took effect; and that are cut before.
    lose: collections.Counter[str] = attrs.field(factory=collections.Counter)
    cut: collections.Counter[str] = attrs.field(factory=collections.Counter)
    #: What describes say of all volumes and snapshots, if anything else than moto.
    volume_state: str = ""
    snapshot_state: str = ""
    #: Seconds that its clock is ahead.
    ahead: float = 0.0
    #: What is in an answer of an action and what comes in its place.
    replace: dict[str, Callable[[bytes], bytes]] = attrs.field(factory=dict)
    #: What was written to volumes, by their ids, and is in snapshots; EC2 itself shows no content.
    content: dict[str, bytes] = attrs.field(factory=dict)
    _tokens: dict[str, bytes] = attrs.field(factory=dict)
    _server: http.server.ThreadingHTTPServer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.weather = self
        threading.Thread(target=self._server.take, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def clear(self) -> None:
        """Be fair again, and remember nothing."""
        for field in attrs.fields(Weather):
            if isinstance(field.default, attrs.Factory):
                setattr(self, field.name, field.default.factory())
            elif field.default is not attrs.NOTHING:
                setattr(self, field.name, field.default)

    def count(self, action: str) -> int:
        return self.calls.count(action)

    def close(self) -> None:
        _hang_up(self._server.socket)
        self._server.server_close()
        self._server.hang_up()

    def trouble(self, action: str) -> Refusal | None:
        for name in (action, "*"):
            waiting = self.refuse.get(name)
            if waiting:
                return waiting[0] if self.lasting and len(waiting) == 1 else waiting.pop(0)
        return None

    def copy(self, action: str, asked: dict[str, str], answer: bytes) -> None:
        """Let content go where EBS brings it."""
        of = {
            "CreateSnapshot": ("VolumeId", rb"<snapshotId>([^<]+)"),
            "CreateVolume": ("SnapshotId", rb"<volumeId>([^<]+)"),
        }
        source, made = of.get(action, ("", rb"$^"))
        found = re.search(made, answer)
        if found and asked.get(source) in self.content:
            self.content[found[1].decode()] = self.content[asked[source]]

    def changed(self, action: str, content: bytes) -> bytes:
        if action == "DescribeVolumes" and self.volume_state:
            content = re.sub(rb"<status>(available|in-use)</status>", _status(self.volume_state), content)
        if action in ("DescribeSnapshots", "CreateSnapshot") and self.snapshot_state:
            content = re.sub(rb"<status>completed</status>", _status(self.snapshot_state), content)
        return self.replace[action](content) if action in self.replace else content


def _status(state: str) -> bytes:
    return f"<status>{state}</status>".encode()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    weather: Weather

    def __init__(self, *of) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*of)

    def take(self) -> None:
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
        for each in list(self._open):
            _hang_up(each)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET

    def _serve(self) -> None:
        weather = self.server.weather
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
        action = asked.get("Action") or urlsplit(self.path).path
        weather.calls.append(action)
        weather.asked.append((action, asked))
        refusal = weather.trouble(action)
        if weather.cut[action] > 0:
            weather.cut[action] -= 1
            self._cut()
        elif refusal is not None:
            status, code, message = refusal
            self._send(status, _ERROR.format(code=code, message=message).encode(), {"Content-Type": "text/xml"})
        else:
            self._pass_on(weather, action, body, asked)

    def _pass_on(self, weather: Weather, action: str, body: bytes, asked: dict[str, str]) -> None:
        token = asked.get("ClientToken", "")
        if action == "CreateVolume" and token in weather._tokens:
            status, content, headers = 200, weather._tokens[token], {"Content-Type": "text/xml"}
        else:
            status, content, headers = self._ask(weather, body)
            if action == "CreateVolume" and token and status == 200:
                weather._tokens[token] = content
            weather.copy(action, asked, content)
        if weather.lose[action] > 0:
            weather.lose[action] -= 1
            self._cut()
        else:
            self._send(status, weather.changed(action, content), headers)

    def _ask(self, weather: Weather, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        where = urlsplit(weather.behind)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read(), dict(response.getheaders())
        finally:
            connection.close()

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        self.send_header("Date", email.utils.formatdate(time.time() + self.server.weather.ahead, usegmt=True))
        for name, value in headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True
        _hang_up(self.connection)
