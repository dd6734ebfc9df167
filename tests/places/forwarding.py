"""An HTTPS server that lets calls through to another server, where whoever watches over it agrees; answers pass as they come."""

from __future__ import annotations

import contextlib
import email.message
import http.client
import http.server
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable

import attrs

#: What is of one connection, and is not passed on: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
_HOP = ("connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "content-length")
_PART = 65536


@attrs.frozen
class Asked:
    """One call as it came in."""

    verb: str
    path: str
    headers: email.message.Message
    body: bytes

    @property
    def bearer(self) -> str:
        """Return the token that it carries; empty without one."""
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if kind.lower() == "bearer" else ""


class Refused(Exception):
    """A call is not let through: the status and what is said instead."""

    def __init__(self, status: int, said: dict) -> None:
        super().__init__(said)
        self.status, self.said = status, said


@attrs.define
class Gate:
    """The server. `admit` returns the headers with which a call goes on, or raises Refused."""

    dial: Callable[[], http.client.HTTPConnection]
    admit: Callable[[Asked], dict[str, str]]
    context: ssl.SSLContext
    #: `HOST:PORT` in whose place it answers whoever takes it for a proxy; with none it is dialled itself.
    stands_for: frozenset[str] = frozenset()
    _server: _Server = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gate = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        """Return where it listens: HOST:PORT."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop, and hang up on whoever still listens. Raises what went wrong here and was no one's going away."""
        self._server.shutdown()
        self._server.server_close()
        for each in list(self._server.open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        if self._server.faults:
            raise self._server.faults[0]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gate: Gate

    def __init__(self, *of) -> None:
        self.open: set[socket.socket] = set()
        self.faults: list[BaseException] = []
        super().__init__(*of)

    def get_request(self):
        connection, address = super().get_request()
        return connection if self.gate.stands_for else secured(connection, self.gate.context), address

    def handle_error(self, request, client_address) -> None:
        """Keep what is no one's going away."""
        fault = sys.exception()
        if not isinstance(fault, OSError | http.client.HTTPException | ValueError):
            self.faults.append(fault)


def secured(connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Speak TLS from now on; the handshake is left to the thread that reads first."""
    return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    _onward: http.client.HTTPConnection | None = None

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        if self._onward is not None:
            self._onward.close()
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()

    def log_message(self, *args) -> None:
        """Say nothing."""

    def do_CONNECT(self) -> None:
        if self.path not in self.server.gate.stands_for:
            self._say(403, {"error": f"{self.path} is not what this stands for"})
            return
        self.send_response_only(200)
        self.end_headers()
        self.server.open.discard(self.connection)
        self.rfile.close()
        self.request = secured(self.connection, self.server.gate.context)
        self.setup()
        self.close_connection = False

    def do_GET(self) -> None:
        asked = Asked(self.command, self.path, self.headers, self._body())
        try:
            answer = self._ask(asked, self.server.gate.admit(asked))
        except Refused as refusal:
            self._say(refusal.status, refusal.said)
        else:
            self._pass_on(answer)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _ask(self, asked: Asked, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Ask the server behind; one that hung up on a connection that was idle is dialled again."""
        for kept in (True, False):
            if self._onward is None or not kept:
                self._onward = self.server.gate.dial()
            try:
                self._onward.request(asked.verb, asked.path, asked.body or None, headers)
                return self._onward.getresponse()
            except (http.client.RemoteDisconnected, ConnectionError):
                self._onward.close()
                if not kept:
                    raise
        raise AssertionError("one of two tries is an answer or an error")

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        if not answer.chunked:
            content = answer.read()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while part := answer.read1(_PART):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _say(self, status: int, said: dict) -> None:
        content = json.dumps(said).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def passed(asked: Asked) -> dict[str, str]:
    """Return the headers of a call that are not of its connection alone."""
    return {name: value for name, value in asked.headers.items() if name.lower() not in (*_HOP, "host")}
