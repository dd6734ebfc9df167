"""A way to the API that breaks off in the middle of requests while the tormentor wants it to."""

from __future__ import annotations

import http.client
import pathlib
import random
import socket
import threading

from gpudev_sdk.client.transport import Call, LocalTransport, Reply, broken


class Scissors:
    """How often connections are cut now, and how many were."""

    def __init__(self) -> None:
        self.chance = 0.0
        self.cuts = 0
        self._lock = threading.Lock()

    def count(self) -> None:
        """Count one cut."""
        with self._lock:
            self.cuts += 1


class CuttingTransport(LocalTransport):
    """Sends a part of a request, or the whole, and hangs up; what the client does then is its own."""

    def __init__(self, path: pathlib.Path, scissors: Scissors, rng: random.Random) -> None:
        super().__init__(path)
        self._scissors = scissors
        self._rng = rng

    def send(self, call: Call, timeout: float) -> Reply:
        """Send a call and return the answer, or break off."""
        if self._rng.random() < self._scissors.chance:
            self._break_off(call)
            self._scissors.count()
            raise broken(self.where, "cut")
        return super().send(call, timeout)

    def _break_off(self, call: Call) -> None:
        raw = _Raw()
        connection = http.client.HTTPConnection("localhost")
        connection.sock = raw
        connection.request(call.method, call.target, body=call.body, headers=dict(call.headers))
        sent = bytes(raw.sent)
        end = len(sent) if self._rng.random() < 0.5 else self._rng.randrange(1, len(sent))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
            plain.settimeout(5)
            try:
                plain.connect(str(self.path))
                plain.sendall(sent[:end])
            except OSError as error:
                raise broken(self.where, type(error).__name__) from error


class _Raw:
    """Stands for a socket and keeps what is written to it."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        """Nothing is open."""
