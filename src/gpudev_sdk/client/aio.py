"""The same client for asyncio: every call runs in a thread. There is no second implementation to go wrong."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Self

from gpudev_sdk.client.box import DevServer
from gpudev_sdk.client.client import Client, connect
from gpudev_sdk.client.collections import Admin, Disks, Keys
from gpudev_sdk.client.forwarding import Forward
from gpudev_sdk.client.places import Places
from gpudev_sdk.client.values import Reservation

_WRAPPED = (Client, DevServer, Disks, Keys, Admin, Forward)
_END = object()


class Threaded:
    """Something of the client, each method of which is awaited: `await box.run("…")`, `async with client.reserve(…)`."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        """Say what is inside."""
        return f"<async {self._inner!r}>"

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if isinstance(found, _WRAPPED):
            return Threaded(found)
        return functools.partial(_Call, found) if callable(found) else found

    def watch(self, ref: str, timeout: float | None = None) -> AsyncIterator[Reservation]:
        """Yield a reservation now and whenever it changes."""
        return _each(self._inner.watch(ref, timeout))

    async def __aenter__(self) -> Self:
        """Enter what is inside."""
        await asyncio.to_thread(self._inner.__enter__)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what is inside; what has begun is finished even when the task is cancelled."""
        await asyncio.shield(asyncio.to_thread(self._inner.__exit__, kind, error, trace))


class _Call:
    """A call that is made when it is awaited, or entered and left as what it returns."""

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._make = functools.partial(function, *args, **kwargs)
        self._entered: Threaded | None = None

    def __await__(self) -> Any:
        return self._do().__await__()

    async def _do(self) -> Any:
        result = await asyncio.to_thread(self._make)
        return Threaded(result) if isinstance(result, _WRAPPED) else result

    async def __aenter__(self) -> Any:
        self._entered = await self._do()
        return await self._entered.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._entered is not None:
            await self._entered.__aexit__(kind, error, trace)


async def _each(items: Iterator[Reservation]) -> AsyncIterator[Reservation]:
    while True:
        item = await asyncio.to_thread(next, items, _END)
        if item is _END:
            return
        assert isinstance(item, Reservation)
        yield item


def aconnect(server: str | None = None, *, places: Places | None = None, timeout: float = 30.0) -> _Call:
    """Return the client for asyncio: `async with gpudev.aconnect() as client:`, or `await` it."""
    return _Call(connect, server, places=places, timeout=timeout)
