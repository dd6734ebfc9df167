"""What is measured of a database that is in use: statements whose cost is bounded by what is live, never by the history."""

from __future__ import annotations

from gpudev_sdk.store.sql import queries

Q = queries("figures")
