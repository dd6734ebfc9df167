"""Opens the server that a command speaks to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.connecting import open_api
from gpudev_sdk.client.places import find_places
from gpudev_sdk.client.targets import find_target


@contextlib.contextmanager
def opened(server: str | None) -> Iterator[Calls]:
    """Yield the server that is meant, closed at the end."""
    places = find_places()
    target = find_target(places, server)
    with Calls(open_api(places, target), places, target) as calls:
        yield calls
