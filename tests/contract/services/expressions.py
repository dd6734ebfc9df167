"""What an expression of PromQL names: metrics with the labels that each is chosen by, and the labels that results go by."""

from __future__ import annotations

import re

import attrs

_MATCHER = re.compile(r'\s*(?P<label>\w+)\s*(?P<how>=~|!~|!=|=)\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*,?')
_BY = re.compile(r"\b(?:by|without|on|ignoring)\s*\((?P<labels>[^)]*)\)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}


@attrs.frozen
class Chosen:
    """A metric, and the values of each label that it is chosen by; None where a pattern is more than a list of words."""

    metric: str
    labels: dict[str, tuple[str, ...] | None]


def chosen(expression: str) -> list[Chosen]:
    """Return every metric of an expression."""
    found = []
    plain = re.sub(r"\[[^\]]*\]", " ", _BY.sub(" ", expression))
    place = 0
    while (name := _NAME.search(plain, place)) is not None:
        place, rest = name.end(), plain[name.end() :].lstrip()
        if name[0] in _WORDS or rest.startswith("("):
            continue
        labels = {}
        if rest.startswith("{"):
            inside, _, after = _closed(rest)
            labels = {each["label"]: _words(each["how"], each["value"]) for each in _MATCHER.finditer(inside)}
            place = len(plain) - len(after)
        found.append(Chosen(name[0], labels))
    return found


def _closed(text: str) -> tuple[str, str, str]:
    """Split `{…}rest`; braces within quotes are text."""
    hidden = _STRING.sub(lambda quoted: "x" * len(quoted[0]), text)
    end = hidden.index("}")
    return text[1:end], "}", text[end + 1 :]


def _words(how: str, value: str) -> tuple[str, ...] | None:
    if how == "=" or (how == "=~" and re.fullmatch(r"[\w|-]+", value)):
        return tuple(value.split("|"))
    return None


def grouped(expression: str) -> set[str]:
    """Return the labels that an expression's results go by."""
    return {
        label.strip() for found in _BY.finditer(expression) for label in found["labels"].split(",") if label.strip()
    }
