"""Sends a request so that Ctrl-C always leaves a clear answer: nothing was asked for, or this was."""

from __future__ import annotations

import contextlib
import threading

from gpudev_cli import words
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import GpudevError, Unavailable
from gpudev_sdk.wire.bodies import ReserveBody

#: After a Ctrl-C the answer is waited for this long.
PATIENCE = 10.0


class _Sending(threading.Thread):
    """One request on its way; the thread is not interrupted by Ctrl-C, so its answer is not lost."""

    def __init__(self, calls: Calls, body: ReserveBody) -> None:
        super().__init__(daemon=True)
        self._calls = calls
        self._body = body
        self.row: Reservation | None = None
        self.error: GpudevError | None = None

    def run(self) -> None:
        """Send it, with one key for every try."""
        try:
            self.row = self._calls.submit(self._body)
        except GpudevError as error:
            self.error = error


def send(calls: Calls, body: ReserveBody) -> tuple[Reservation, bool]:
    """Put the request in line; return its reservation, and whether Ctrl-C came meanwhile.

    Raises KeyboardInterrupt when nothing was reserved or nobody knows, having said so.
    """
    sending, interrupted = _Sending(calls, body), False
    try:
        sending.start()
        sending.join()
    except KeyboardInterrupt:
        # A second Ctrl-C ends the waiting for the answer, not its honesty.
        with contextlib.suppress(KeyboardInterrupt):
            sending.join(PATIENCE)
        if sending.row is None and sending.error is None:
            words.note("Interrupted while the request was on its way; it may have arrived: gpudev list shows it.")
            raise
        if sending.row is None:
            words.note("Interrupted; nothing was reserved.")
            raise
        interrupted = True
        words.note(f"The request was in line already, as {sending.row.name}.")
    if sending.error is not None:
        raise sending.error
    if sending.row is None:
        raise Unavailable("the request was not sent", hint="Try again.")
    return sending.row, interrupted
