"""A small HTTP server on a Unix socket that speaks the wire, and misbehaves when told to."""

from __future__ import annotations

import datetime as dt
import http.server
import itertools
import pathlib
import socketserver
import threading
import time
import uuid

import msgspec

from gpudev_sdk.errors import HTTP_STATUS, GpudevError, InvalidRequest, NotFound
from gpudev_sdk.wire import account_views, views

NOW = dt.datetime.now(dt.UTC)
INSTALL = uuid.UUID("01234567-89ab-7def-8123-456789abcdef")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDq7ZuzZzvQ0mZ8mQxFMjJzX1Yd3jJ8sQm2fF1k4m0aB"


class Raw:
    """An answer byte by byte, without any framing of ours."""

    def __init__(self, *parts: bytes, pause: float = 0.0) -> None:
        self.parts, self.pause = parts, pause


def page(status: int, body: bytes, kind: str = "text/html", **headers: str) -> Raw:
    """A whole answer that is none of gpudev's."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return Raw(head.encode() + body)


def reservation(name: str = "work", state: str = "active", **more) -> views.ReservationView:
    """A reservation as the server shows it."""
    number = next(_NUMBERS)
    fields = {
        "id": uuid.UUID(int=(0x0199_0000_0000 + number) << 80 | 0x7 << 76 | 2 << 62 | number),
        "name": name, "owner": "kim", "state": state, "gpu_type": "h100", "gpus": 2, "created_at": NOW,
        "granted_seconds": 14400, "attempt": 1, "generation": 1, "disk": "work",
    }  # fmt: skip
    if state == "active":
        fields |= {"started_at": NOW, "expires_at": NOW + dt.timedelta(hours=4), "ssh_name": name, "node": "here"}
    return views.ReservationView(**(fields | more))


_NUMBERS = itertools.count(1)


class Stub:
    """The server; `on` says what a call answers, `calls` what was asked."""

    def __init__(self, folder: pathlib.Path) -> None:
        run = folder / "run"
        run.mkdir(mode=0o700, parents=True)
        self.folder, self.path = folder, run / "api.sock"
        self.calls: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.answers: dict[tuple[str, str], object] = {}
        self.rows: list[views.ReservationView] = []
        self._server = _Server(str(self.path), _Handler)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self._defaults()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)

    def on(self, method: str, path: str, answer: object) -> None:
        """Have a call answered by a view, an error, bytes, or a function of (body, headers) that returns one of these."""
        self.answers[method, f"/v1{path}"] = answer

    def asked(self, method: str, path: str) -> list[tuple[str, str, bytes, dict[str, str]]]:
        return [call for call in self.calls if call[0] == method and call[1].partition("?")[0] == f"/v1{path}"]

    def _defaults(self) -> None:
        gateway = views.GatewayView(port=7022, host=None, host_key=KEY, host_ca=KEY)
        self.on("GET", "/server", views.ServerView(
            version="0.1.0", install_id=INSTALL, install="lab", logins=["ssh"], gateway=gateway,
            backends={"local": {"isolation": "sandbox"}}))  # fmt: skip
        self.on("GET", "/me", account_views.MeView(
            user="kim", is_admin=True, local=True, keys=1, live_reservations=1, live_gpus=2, max_reservations=20))  # fmt: skip
        rows = [
            views.AvailabilityRow(
                gpu_type="h100", backend="local", total=8, free=4, largest_now=4, per_node=8, queued=1, pretended=True,
                max_duration_seconds=86400, offers=[
                    views.OfferView(gpus=4, starts_at=NOW),
                    views.OfferView(gpus=8, starts_at=NOW + dt.timedelta(minutes=35, seconds=30))]),
            views.AvailabilityRow(
                gpu_type="cpu", backend="local", total=4, free=4, largest_now=1, per_node=4, queued=0,
                offers=[views.OfferView(gpus=1, starts_at=NOW)]),
        ]  # fmt: skip
        use = views.UseView(owner="lee", gpu_type="h100", gpus=4, state="active", until=NOW + dt.timedelta(minutes=35))
        self.on("GET", "/availability", views.AvailabilityView(as_of=NOW, rows=rows, uses=[use]))
        self.on("GET", "/disks", views.DisksView(items=[]))
        self.on("POST", "/me/keys", lambda body, headers: account_views.KeyView(
            id=uuid.uuid4(), name="x", fingerprint="SHA256:x", created_at=NOW,
            public_key=msgspec.json.decode(body)["public_key"]))  # fmt: skip
        self.on("GET", "/me/keys", account_views.KeysView(items=[]))

    def answer(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> object:
        found = self.answers.get((method, path), self._of_rows)
        if found == self._of_rows:
            return self._of_rows(method, path, body)
        return found(body, headers) if callable(found) else found

    def _of_rows(self, method: str, path: str, body: bytes) -> object:
        if (method, path) == ("GET", "/v1/reservations"):
            return views.ReservationPage(items=self.rows)
        if (method, path) == ("POST", "/v1/reservations"):
            asked = msgspec.json.decode(body)
            made = reservation(asked.get("disk") or "throwaway", "queued", position=1, gpu_type=asked["gpu_type"])
            self.rows.append(made)
            return made
        ref, _, rest = path.removeprefix("/v1/reservations/").partition("/")
        row = next((row for row in self.rows if ref in (row.name, str(row.id))), None)
        if row is None or not path.startswith("/v1/reservations/"):
            return NotFound(f"you have no reservation {ref!r}", hint="`gpudev list --all` shows what you have and had.")
        return self._of_row(method, rest, row)

    def _of_row(self, method: str, rest: str, row: views.ReservationView) -> object:
        if method == "DELETE":
            self.rows = [
                msgspec.structs.replace(r, state="stopping", ssh_name=None) if r == row else r for r in self.rows
            ]
            return msgspec.structs.replace(row, state="stopping")
        if rest == "events":
            return iter([row])
        if rest == "history":
            return views.EventsView(
                items=[views.EventView(number=1, at=NOW, what="submitted", to_state="queued", actor="kim")]
            )
        return row


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    stub: Stub

    def handle_error(self, request, client_address) -> None:
        """A client that has left is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.stub.calls.append((self.command, self.path, body, headers))
        self.close_connection = True
        self._give(self.server.stub.answer(self.command, self.path.partition("?")[0], body, headers))

    do_GET = do_POST = do_DELETE = do_PATCH = _serve

    def _give(self, answer: object) -> None:
        if isinstance(answer, Raw):
            for part in answer.parts:
                self.wfile.write(part)
                self.wfile.flush()
                time.sleep(answer.pause)
        elif isinstance(answer, GpudevError):
            self._problem(answer)
        elif hasattr(answer, "__next__"):
            self._stream(answer)
        elif answer is None:
            self._whole(204, b"", "application/json")
        else:
            self._whole(200, msgspec.json.encode(answer), "application/json")

    def _whole(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Gpudev-Version", "0.1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _problem(self, error: GpudevError) -> None:
        status = HTTP_STATUS.get(error.code, 500)
        problem = views.ProblemView(
            type=f"https://gpudev.dev/problems/{error.code}", title="t", status=status, detail=error.message,
            request_id="abc123", hint=error.hint, field=error.field if isinstance(error, InvalidRequest) else None)  # fmt: skip
        self._whole(status, msgspec.json.encode(problem), "application/problem+json")

    def _stream(self, items) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for item in items:
            line = item if isinstance(item, bytes) else b"data: " + msgspec.json.encode(item) + b"\n\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format, *args) -> None:
        """Say nothing."""
