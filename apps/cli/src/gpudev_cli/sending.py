"""Sends a request so that Ctrl-C always leaves a clear answer: nothing was asked for, or this was."""

from __future__ import annotations

import contextlib
import sys
import threading

from gpudev_cli import words
from gpudev_sdk.client.boxes import introduce
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.transport import ConnectionLost
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import GpudevError, ServerUnreachable, Unavailable
from gpudev_sdk.wire.bodies import ReserveBody

#: After a Ctrl-C the answer is waited for this long.
PATIENCE = 10.0
MAYBE = "It may have arrived: gpudev list shows it."


class _Sending(threading.Thread):
    """One request on its way; the thread is not interrupted by Ctrl-C, so its answer is not lost."""

    def __init__(self, calls: Calls, body: ReserveBody) -> None:
        super().__init__(daemon=True)
        self._calls = calls
        self._body = body
        self.row: Reservation | None = None
        self.error: GpudevError | None = None
        #: Waited for instead of the thread's end: a `join` that is interrupted takes the thread for ended.
        self.answered = threading.Event()

    def run(self) -> None:
        """Send it, with one key for every try."""
        threading.excepthook = _told
        try:
            introduce(self._calls)
            self.row = self._calls.submit(self._body)
        except GpudevError as error:
            self.error = error
        finally:
            self.answered.set()


def _told(fault: threading.ExceptHookArgs) -> None:
    """Tell a fault of ours in the thread like one anywhere else."""
    sys.excepthook(fault.exc_type, fault.exc_value or fault.exc_type(), fault.exc_traceback)


def _is_unknown(error: GpudevError | None) -> bool:
    """Say whether nobody knows if the request arrived."""
    return error is None or (isinstance(error, Unavailable) and not isinstance(error, ServerUnreachable))


def send(calls: Calls, body: ReserveBody) -> tuple[Reservation, bool]:
    """Put the request in line; return its reservation, and whether Ctrl-C came meanwhile.

    Raises KeyboardInterrupt when nothing was reserved or nobody knows, having said so.
    """
    sending, interrupted = _Sending(calls, body), False
    try:
        sending.start()
        sending.answered.wait()
    except KeyboardInterrupt:
        words.note("Interrupted; asking what became of the request…")
        # A second Ctrl-C ends the waiting for the answer, not its honesty.
        with contextlib.suppress(KeyboardInterrupt):
            sending.answered.wait(PATIENCE)
        if sending.row is None:
            words.note(MAYBE if _is_unknown(sending.error) else "Nothing was reserved.")
            raise
        interrupted = True
        words.note(f"The request was in line already, as {sending.row.name}.")
    if sending.error is not None:
        if isinstance(sending.error, ConnectionLost):
            sending.error.hint = MAYBE
        raise sending.error
    if sending.row is None:
        raise Unavailable("the request was not sent", hint="Try again.")
    return sending.row, interrupted
