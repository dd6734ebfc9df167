"""What a service that speaks no HTTP says of itself: `/healthz`, `/readyz` and, where it has some, `/metrics`."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping

import attrs

from gpudev_sdk.errors import ConfigError, GpudevError
from gpudev_services.up.doors import address

PLAIN = "text/plain; charset=utf-8"


@attrs.frozen
class Answer:
    """What is answered to a path."""

    status: int
    body: bytes
    kind: str = PLAIN


def living() -> Answer:
    """Say that the process lives; whether its database does is not its fault."""
    return Answer(200, b"ok\n")


def ready(why_not: Callable[[], GpudevError | None]) -> Answer:
    """Say whether it can do its work, and what is in the way."""
    trouble = why_not()
    return Answer(200, b"ok\n") if trouble is None else Answer(503, f"{trouble.message}\n".encode())


@contextlib.contextmanager
def serving(where: str | None, answers: Mapping[str, Callable[[], Answer]]) -> Iterator[None]:
    """Answer at `HOST:PORT` for as long as the block runs; without one, nowhere."""
    if where is None:
        yield
        return
    try:
        server = http.server.ThreadingHTTPServer(address(where, "--health"), _handler(answers))
    except OSError as error:
        hint = "Choose another address: --health HOST:PORT."
        raise ConfigError(f"cannot listen on {where}: {error.strerror}", hint=hint) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(answers: Mapping[str, Callable[[], Answer]]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        # A client that is silent holds a thread for no longer than this.
        timeout = 10

        def do_GET(self) -> None:
            """Answer; the name is the standard library's."""
            known = answers.get(self.path.partition("?")[0])
            answer = Answer(404, b"there is no such thing\n") if known is None else _asked(known)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes are no news."""

    return Handler


def _asked(answer: Callable[[], Answer]) -> Answer:
    try:
        return answer()
    except GpudevError as error:
        return Answer(503, f"{error.message}\n".encode())
