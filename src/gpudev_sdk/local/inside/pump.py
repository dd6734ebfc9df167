"""Carries bytes between a channel and a program's descriptors, never faster than the slower side takes them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_CHUNK = 64 * 1024
_MOST_CHUNKS = 16


class Reader:
    """Reads a descriptor and hands on what comes, until it ends or is closed."""

    def __init__(self, descriptor: int, hand_on: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor: int | None = descriptor
        self._hand_on = hand_on
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self.resume()

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self._descriptor is not None

    def pause(self) -> None:
        """Read no more for now."""
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        """Read on."""
        if self._descriptor is not None:
            self._loop.add_reader(self._descriptor, self._read)

    def drain(self) -> None:
        """Hand on what is there now, and close; somebody may go on writing for ever, so only so much."""
        for _ in range(_MOST_CHUNKS):
            if self._descriptor is None or not self._read():
                break
        self.close()

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> bool:
        assert self._descriptor is not None
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""  # a terminal whose last user has gone
        if data:
            self._hand_on(data)
            return True
        self.close()
        self._ended()
        return False


class Writer:
    """Writes to a descriptor what it takes, keeps the rest, and says when to stop and go on."""

    def __init__(self, descriptor: int, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor: int | None = descriptor
        self._pause = pause
        self._resume = resume
        self._kept = bytearray()
        self._ending = False
        self._loop = asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        """Write, or keep for later; what a program no longer reads is dropped."""
        if self._descriptor is None or self._ending:
            return
        if not self._kept:
            data = data[self._try(data) :]
            if data and self._descriptor is not None:
                self._pause()
                self._loop.add_writer(self._descriptor, self._write_on)
        self._kept += data

    def end(self) -> None:
        """Close once everything is written."""
        self._ending = True
        if not self._kept:
            self.close()

    def close(self) -> None:
        """Let go of the descriptor and of what was not written."""
        if self._descriptor is not None:
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
            self._kept.clear()

    def _try(self, data: bytes | bytearray) -> int:
        assert self._descriptor is not None
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return len(data)

    def _write_on(self) -> None:
        written = self._try(self._kept)
        del self._kept[:written]
        if self._kept:
            return
        if self._descriptor is not None:
            self._loop.remove_writer(self._descriptor)
        self._resume()
        # Going on may have brought more at once, and the end with it.
        if self._ending and not self._kept:
            self.close()
