"""What a page tells people to type, as words, so that a test can do it."""

from __future__ import annotations

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).parents[1]
_FENCED = re.compile(r"^```sh(?: (?P<name>[a-z-]+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")


def fenced(page: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of commands of a page, each with its name, which is empty where it has none."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(found["name"] or "", found["body"]) for found in _FENCED.finditer(text)]


def commands(page: str, program: str) -> list[list[str]]:
    """Return the commands of a program that a page shows: those of its indented blocks, then those in its sentences."""
    return [shlex.split(line.replace("\\\n", " ")) for line in lines(page, program)]


def lines(page: str, program: str) -> list[str]:
    """Return the same as they stand there, for a shell."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [each for block in _BLOCK.findall(text) for each in _of_block(block)]
    found += _INLINE.findall(_BLOCK.sub("", text))
    return [each for each in found if each.startswith(f"{program} ")]


def _of_block(block):
    """Yield each command; one goes on over lines where a quote or a backslash says so."""
    waiting = ""
    for line in block.splitlines(keepends=True):
        waiting += line
        if not waiting.endswith("\\\n") and _is_closed(waiting):
            yield waiting.strip()
            waiting = ""


def _is_closed(text):
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def fill(words: list[str], **places: str) -> list[str]:
    """Return a command with what stands in it for what a person knows; `snap="snap-1"` goes where `snap-…` is."""
    return [places.get(word.removesuffix("-…"), word) if word.endswith("-…") else word for word in words]
