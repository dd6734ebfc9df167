"""The box's side of a channel, where its order of events cannot be brought about from outside."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Callable

import pytest

from gpudev_services.gateway.targets import UnixEndpoint
from gpudev_services.gateway.tunnel import READ_LEAST, READ_MOST, Turns, dial


class Channel:
    """Notes what a client's channel is told."""

    def __init__(self, told_to: Callable[[], None] = lambda: None) -> None:
        self._told_to = told_to
        self.told: list[object] = []
        self.closed = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.told += [data] if data else []
        self._told_to()

    def write_eof(self) -> None:
        self.told.append("eof")

    def close(self) -> None:
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()


@contextlib.asynccontextmanager
async def box(folder: pathlib.Path, *words: bytes) -> AsyncIterator[UnixEndpoint]:
    """Answer one client with these words, with time between them, and then end."""
    over = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for word in words:
            writer.write(word)
            await asyncio.sleep(0.2)
        with contextlib.suppress(ConnectionError):
            writer.write_eof()
            await reader.read()
        writer.close()
        over.set()

    path = folder / "box.sock"
    async with await asyncio.start_unix_server(speak, path):
        yield UnixEndpoint(str(path))
        await asyncio.wait_for(over.wait(), 10)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("words", [(b"SSH-2.0-box\r\n",), (b"SSH-2.0-box\r\n", b"more")])
@pytest.mark.parametrize("late", [0, 0.1, 0.6], ids=["at once", "after a word", "after all"])
def test_what_a_box_says_before_its_client_is_there_is_kept(
    tmp_path: pathlib.Path, words: tuple[bytes, ...], late: float
) -> None:
    async def attempt() -> list[object]:
        channel = Channel()
        async with box(tmp_path, *words) as endpoint:
            upstream = await dial(endpoint, Turns())
            await asyncio.sleep(late)
            upstream.attach(channel)  # type: ignore[arg-type]
            while "eof" not in channel.told:
                await asyncio.sleep(0.01)
            upstream.finish_writing()
            await asyncio.wait_for(channel.closed.wait(), 10)
        return channel.told

    *told, end = asyncio.run(attempt())
    assert (b"".join(told), end) == (b"".join(words), "eof")


def test_a_client_that_takes_nothing_at_once_is_waited_for(tmp_path: pathlib.Path) -> None:
    async def attempt() -> bool:
        async with box(tmp_path, b"SSH-2.0-box\r\n") as endpoint:
            upstream = await dial(endpoint, Turns())
            await asyncio.sleep(0.1)
            channel = Channel(told_to=upstream.pause_reading)
            upstream.attach(channel)  # type: ignore[arg-type]
            reading = upstream.transport.is_reading()
            upstream.transport.abort()
        return reading

    assert not asyncio.run(attempt())


def test_one_stream_reads_much_and_many_read_little() -> None:
    turns = Turns()
    assert len(turns.take("one")) == READ_MOST
    for reader in range(20):
        turns.take(reader)
    turns._counted_until = 0
    assert len(turns.take("one")) == READ_LEAST
    turns._counted_until = 0
    assert len(turns.take("one")) == READ_MOST
