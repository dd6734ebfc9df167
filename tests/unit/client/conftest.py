"""The fixtures of the client's tests."""

from __future__ import annotations

from tests.unit.client.fixtures import calls, environ, places, room, stub

__all__ = ["calls", "environ", "places", "room", "stub"]
