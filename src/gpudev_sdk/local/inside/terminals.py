"""Terminals of sessions: making one as the client's is, resizing it, and writing notices to all that are open."""

from __future__ import annotations

import fcntl
import os
import pathlib
import struct
import termios
from collections.abc import Iterable, Mapping

from asyncssh import constants

_PTS = pathlib.Path("/dev/pts")
#: Which list of `tcgetattr` holds the flags of a range of mode numbers of RFC 4254.
_FLAGS = ((range(30, 50), 0), (range(50, 70), 3), (range(70, 90), 1))
_CHARACTERS = 6
_IUTF8 = (42, 0o40000)


def open_terminal(modes: Mapping[int, int], size: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return both ends of a new terminal with the client's modes and size."""
    ours, theirs = os.openpty()
    attributes = termios.tcgetattr(theirs)
    for name, number in vars(constants).items():
        if name.startswith("PTY_") and number in modes:
            _apply(attributes, name.removeprefix("PTY_"), number, modes[number])
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    resize(ours, size)
    return ours, theirs


def resize(terminal: int, size: tuple[int, int, int, int]) -> None:
    """Tell a terminal its size: columns, rows, and both in pixels."""
    columns, rows, width, height = (min(max(number, 0), 65535) for number in size)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, width, height))


def show(text: str, terminals: Iterable[str]) -> None:
    """Write `text` on each terminal; one that is stopped or gone is passed over."""
    for name in terminals:
        try:
            terminal = os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            os.write(terminal, f"\n{text.rstrip()}\n".replace("\n", "\r\n").encode())
        except OSError:
            continue
        finally:
            os.close(terminal)


def all_terminals() -> list[str]:
    """Return every terminal of this box, whoever opened it: of sessions, of tmux, of an editor."""
    return [str(path) for path in _PTS.iterdir() if path.name.isdigit()]


def _apply(attributes: list[object], name: str, number: int, value: int) -> None:
    known = getattr(termios, name, _IUTF8[1] if number == _IUTF8[0] else None)
    if known is None:
        return
    characters = attributes[_CHARACTERS]
    assert isinstance(characters, list)
    if number < 30:
        if name.startswith("V"):
            characters[known] = bytes([0 if value == 255 else value & 255])
        return
    for numbers, index in _FLAGS:
        if number in numbers:
            flags = attributes[index]
            assert isinstance(flags, int)
            attributes[index] = flags | known if value else flags & ~known
