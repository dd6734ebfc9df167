"""The box's side of a channel, where its order of events cannot be brought about from outside."""

from __future__ import annotations

import asyncio
import pathlib

import pytest

from gpudev_services.gateway.targets import UnixEndpoint
from gpudev_services.gateway.tunnel import READ_LEAST, READ_MOST, Turns, dial


class Channel:
    """Notes what a client's channel is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.closed = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.told += [data] if data else []

    def write_eof(self) -> None:
        self.told.append("eof")

    def close(self) -> None:
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()


@pytest.mark.parametrize("ends", [True, False], ids=["and ends", "and goes on"])
def test_what_a_box_says_before_its_client_is_there_is_kept(tmp_path: pathlib.Path, ends: bool) -> None:
    async def attempt() -> list[object]:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-box\r\n")
            if ends:
                writer.write_eof()
            else:
                await asyncio.sleep(0.2)
                writer.write(b"more")
                writer.write_eof()
            await reader.read()
            writer.close()

        path = tmp_path / "box.sock"
        async with await asyncio.start_unix_server(speak, path):
            upstream = await dial(UnixEndpoint(str(path)), Turns())
            await asyncio.sleep(0.1)
            channel = Channel()
            upstream.attach(channel)  # type: ignore[arg-type]
            while "eof" not in channel.told:
                await asyncio.sleep(0.01)
            upstream.finish_writing()
            await asyncio.wait_for(channel.closed.wait(), 10)
        return channel.told

    told = asyncio.run(attempt())
    assert told == [b"SSH-2.0-box\r\n", "eof"] if ends else [b"SSH-2.0-box\r\n", b"more", "eof"]


def test_one_stream_reads_much_and_many_read_little() -> None:
    turns = Turns()
    assert len(turns.take("one")) == READ_MOST
    for reader in range(20):
        turns.take(reader)
    turns._counted_until = 0
    assert len(turns.take("one")) == READ_LEAST
    turns._counted_until = 0
    assert len(turns.take("one")) == READ_MOST
