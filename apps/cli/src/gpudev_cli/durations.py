"""Times and GPU types on the command line."""

from __future__ import annotations

import datetime as dt
import re

import click

from gpudev_sdk.client.clock import now
from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.domain.times import parse_duration
from gpudev_sdk.errors import InvalidRequest

LONGEST = dt.timedelta(days=366)
_COUNT = re.compile(r"[0-9]{1,4}\Z")


class Duration(click.ParamType[dt.timedelta]):
    """A time: `90m`, `4h`, `1h30m`, `2d`, bare hours, or `until 18:00`."""

    name = "time"

    def convert(
        self, value: str | dt.timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.timedelta:
        """Read a time; a usage error otherwise."""
        if isinstance(value, dt.timedelta):
            return value
        try:
            found = parse_duration(value, now=now())
        except InvalidRequest as error:
            self.fail(f"{error.message}: {error.hint}", param, ctx)
        except OverflowError:
            found = LONGEST * 2
        if not dt.timedelta() < found <= LONGEST:
            self.fail(f"{value!r} is not a time from a minute to a year", param, ctx)
        return found


class GpuShape(click.ParamType[tuple[str, int | None]]):
    """A GPU type, and how many: `h100:2`, `h100`, `cpu`."""

    name = "type"

    def convert(
        self, value: str | tuple[str, int | None], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | None]:
        """Read a type with a count; a usage error otherwise."""
        if isinstance(value, tuple):
            return value
        kind, colon, count = value.partition(":")
        kind = kind.lower()
        if not LABEL.match(kind):
            self.fail(f"{value[:60]!r} is not a GPU type; `gpudev avail` lists them", param, ctx)
        if colon and not (count.isascii() and _COUNT.match(count)):
            self.fail(f"{count[:60]!r} is not a number of GPUs; write it like {kind}:2", param, ctx)
        return kind, int(count) if colon else None


class GpuCount(click.ParamType[int]):
    """A number of GPUs, in plain digits."""

    name = "number"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number; a usage error otherwise."""
        if isinstance(value, int):
            return value
        if not (value.isascii() and _COUNT.match(value)):
            self.fail(f"{value[:60]!r} is not a number of GPUs", param, ctx)
        return int(value)


DURATION = Duration()
GPU_COUNT = GpuCount()
GPU_SHAPE = GpuShape()
