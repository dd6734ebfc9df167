"""Waits for a box, saying what goes on: its place in line, its start, and each phase as it changes."""

from __future__ import annotations

import sys

import click

from gpudev_cli import when, words
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import GpudevError


class Progress:
    """What is said while waiting: one line that changes on a terminal, a line for each change elsewhere; on stderr."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = ""

    def show(self, text: str) -> None:
        """Show a phase, if it is another than before."""
        text = words.clean(text, 200)
        if text == self._last:
            return
        self._last = text
        if self._live:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)
        else:
            click.echo(text, err=True)

    def end(self) -> None:
        """Leave the line."""
        if self._live and self._last:
            click.echo(err=True)
        self._last = ""


def wait_for_box(calls: Calls, row: Reservation, *, interrupted: bool = False) -> Reservation | None:
    """Return the reservation once it is active or has ended; None after Ctrl-C, when all has been said.

    Ctrl-C asks once on a terminal whether to cancel; elsewhere the reservation stays, and it is said how to end it.
    """
    progress = Progress()
    try:
        if interrupted:
            raise KeyboardInterrupt
        for view in calls.watch(str(row.id)):
            progress.show(phase(view))
            if view.state in ("active", "ended"):
                return view
        return calls.show(str(row.id))
    except KeyboardInterrupt:
        progress.end()
        _cancel_or_keep(calls, row)
        return None
    finally:
        progress.end()


def phase(view: Reservation) -> str:
    """Say in a line where a reservation is."""
    if view.state == "queued":
        place = f"in line, place {view.position}" if view.position else "in line"
        start = f", starts about {when.moment(view.starts_at)}" if view.starts_at else ""
        return f"{place}{start}{f' ({view.waiting_for})' if view.waiting_for else ''}"
    if view.state == "active":
        return "ready"
    if view.state == "ended":
        return f"ended: {view.end_reason or 'for no reason given'}"
    return view.state + (f": {view.detail}" if view.detail else "")


def _cancel_or_keep(calls: Calls, row: Reservation) -> None:
    kept = f"{row.name} stays in line or comes up; end it with: gpudev cancel {row.name}"
    if not words.on_terminal():
        words.note(f"Interrupted. {kept}")
        return
    try:
        wants_end = click.confirm(f"\nCancel the reservation {row.name}? Otherwise it is kept", default=False, err=True)
    except click.Abort:
        wants_end = False
        click.echo(err=True)
    if not wants_end:
        words.note(f"Kept. {kept}")
        return
    try:
        calls.cancel(str(row.id))
    except GpudevError as error:
        words.say_error(f"{row.name} could not be cancelled: {error.message}", f"Try again: gpudev cancel {row.name}")
    else:
        words.note(f"{row.name} is cancelled.")
