"""One forwarded channel: bytes between a client's channel and a box's SSH server, nothing looked at."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable

import asyncssh

from gpudev_services.gateway.targets import TcpEndpoint, UnixEndpoint

DIAL_TIMEOUT = 10.0
#: What is read of one box at a time: much is faster for one stream, little lets others through in between.
READ_MOST = 256 * 1024
READ_LEAST = 32 * 1024
#: Seconds after which it is counted again how many streams are busy.
COUNTED_FOR = 0.05


class Turns:
    """The one buffer into which all boxes of a gateway are read, shared fairly among those that send just now.

    A read and passing on what was read are one step of the loop, so nobody else uses the buffer in between.
    """

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(READ_MOST))
        self._busy: set[object] = set()
        self._size = READ_MOST
        self._counted_until = 0.0

    def take(self, reader: object) -> memoryview:
        """Return where this reader reads to, as large as its share."""
        now = time.monotonic()
        if now >= self._counted_until:
            self._size = max(READ_LEAST, READ_MOST // max(1, len(self._busy)))
            self._busy.clear()
            self._counted_until = now + COUNTED_FOR
        self._busy.add(reader)
        return self._buffer[: self._size]

    def read(self, size: int) -> bytes:
        """Return what was read just now."""
        return bytes(self._buffer[:size])


class Tunnel(asyncssh.SSHTCPSession[bytes]):
    """The client's side of a channel. Each side slows the other down when it cannot take more."""

    def __init__(self, upstream: Upstream, reservation_id: uuid.UUID, gone: Callable[[Tunnel], None]) -> None:
        self.reservation_id = reservation_id
        self._upstream = upstream
        self._gone = gone
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        """Begin to carry bytes."""
        self._channel = chan
        self._upstream.attach(chan)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Pass on what the client sent."""
        self._upstream.transport.write(data)

    def eof_received(self) -> bool:
        """Pass on that the client sends no more; the other direction goes on."""
        self._upstream.finish_writing()
        return True

    def pause_writing(self) -> None:
        """Stop reading from the box until the client took what is waiting."""
        self._upstream.pause_reading()

    def resume_writing(self) -> None:
        """Read from the box again."""
        self._upstream.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the box."""
        self._upstream.transport.abort()
        self._gone(self)

    def close(self) -> None:
        """Cut the channel now, whatever is under way."""
        self._upstream.transport.abort()
        if self._channel is not None:
            self._channel.abort()


class Upstream(asyncio.BufferedProtocol):
    """The box's side of a channel."""

    transport: asyncio.Transport

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        #: What the box said before there was somebody to pass it on to.
        self._early = b""
        self._client_ended = False
        self._box_ended = False
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def attach(self, channel: asyncssh.SSHTCPChannel[bytes]) -> None:
        """Pass what the box says on to this channel, beginning with what it said already."""
        self._channel = channel
        # Before the write, which may ask for a pause.
        self.resume_reading()
        channel.write(self._early)
        self._early = b""
        if self._box_ended:
            channel.write_eof()
        if self._lost:
            channel.close()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read into."""
        return self._turns.take(self)

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what the box sent."""
        if self._channel is None:
            # Not earlier: before the first read, some versions of asyncio forget that they were told to pause.
            self._early += self._turns.read(nbytes)
            self.pause_reading()
        elif not self._channel.is_closing():
            self._channel.write(self._turns.read(nbytes))

    def eof_received(self) -> bool:
        """Pass on that the box sends no more; the other direction goes on unless it ended before."""
        self._box_ended = True
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()
        return not self._client_ended

    def pause_writing(self) -> None:
        """Stop reading from the client until the box took what is waiting."""
        if self._channel is not None:
            self._channel.pause_reading()

    def resume_writing(self) -> None:
        """Read from the client again."""
        if self._channel is not None:
            self._channel.resume_reading()

    def pause_reading(self) -> None:
        """Read no more for now."""
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def finish_writing(self) -> None:
        """Say that nothing more will be written; if the box said so before, that is all."""
        self._client_ended = True
        if self._box_ended:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the channel once all that was read is sent."""
        self._lost = True
        if self._channel is not None:
            self._channel.close()


async def dial(endpoint: UnixEndpoint | TcpEndpoint, turns: Turns) -> Upstream:
    """Connect to a box's SSH server; raise OSError (TimeoutError is one) if it does not answer."""
    loop = asyncio.get_running_loop()
    upstream = Upstream(turns)
    async with asyncio.timeout(DIAL_TIMEOUT):
        if isinstance(endpoint, UnixEndpoint):
            await loop.create_unix_connection(lambda: upstream, endpoint.path)
        else:
            await loop.create_connection(lambda: upstream, endpoint.host, endpoint.port)
    return upstream
