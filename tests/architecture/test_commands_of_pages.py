"""Whatever a page for operators tells people to type is there: commands, their options, and values of the chart."""

from __future__ import annotations

import argparse
import json
import re
import shlex

import click
import pytest

from gpudev_cli.main import cli
from gpudev_services.main import _parser
from tests.architecture.sources import ROOT

PAGES = sorted((ROOT / "docs" / "operate").rglob("*.md"))
SCHEMA = json.loads((ROOT / "charts" / "gpu-dev-server" / "values.schema.json").read_text(encoding="utf-8"))
#: Tables whose keys are the operator's own, or somebody else's.
OPEN = "open"
_TYPED = re.compile(r"(?:^|[\s`(&|;\"'])(?P<typed>(?:gpudev-services|gpudev) +[a-z-]{2,}(?: [^`\n|;&)]*)?)")
_VALUE = re.compile(r"(?<![\w/.-])(?P<path>[a-z][A-Za-z]+(?:\.(?:[A-Za-z]\w*|\{[\w.,]+\}))+)(?=[\s=`,:)]|$)")
_INLINE = re.compile(r"`([^`\n]+)`")


def code(text):
    """Return the code of a page, a line each: blocks, whose lines may go on, and what stands in backticks."""
    fenced, lines = False, []
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(line)
        else:
            lines += _INLINE.findall(line)
    return lines


def typed(line):
    """Yield the words of each command of ours in a line."""
    for found in () if "pip install" in line else _TYPED.finditer(line):
        try:
            words = shlex.split(found["typed"], comments=True)
        except ValueError:
            # A quote that another program's words close.
            words = found["typed"].split()
        yield words


def unknown(words):
    """Return the first word of a command that is not there, or None."""
    return _of_click(words[1:]) if words[0] == "gpudev" else _of_argparse(words[1:])


def _of_click(words):
    command, context = cli, click.Context(cli)
    for word in words:
        if not isinstance(command, click.Group) or word.startswith("-") or word.isupper() or word == "…":
            break
        found = command.get_command(context, word)
        if found is None:
            return word
        command, context = found, click.Context(found, parent=context)
    options = {option for each in command.get_params(context) for option in (*each.opts, *each.secondary_opts)}
    return _options(words, options)


def _of_argparse(words):
    (commands,) = [each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction)]
    if words[0] not in commands.choices:
        return words[0]
    options = {option for each in commands.choices[words[0]]._actions for option in each.option_strings}
    return _options(words, options)


def _options(words, options):
    for word in words:
        if word == "--":
            return None
        if word.startswith("--") and word.partition("=")[0] not in options:
            return word
    return None


def missing(path):
    """Return whether a value's path is none of the chart's."""
    schema = SCHEMA
    for key in path.split("."):
        schema = {**SCHEMA["$defs"].get(schema.get("$ref", "").rpartition("/")[2], {}), **schema}
        if "properties" not in schema or (key not in schema["properties"] and schema.get("additionalProperties", True)):
            return "properties" not in schema and "object" not in str(schema.get("type", "object"))
        if key not in schema["properties"]:
            return True
        schema = schema["properties"][key]
    return False


def values(line):
    """Yield every path of a value of the chart that a line names, with braces opened."""
    for found in _VALUE.finditer(line):
        if found["path"].partition(".")[0] in SCHEMA["properties"] and not found["path"].endswith((".toml", ".yaml")):
            head, brace, rest = found["path"].partition("{")
            yield from [head + each for each in rest.rstrip("}").split(",")] if brace else [head]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT / "docs" / "operate").as_posix())
def test_what_a_page_tells_people_to_type_is_there(page):
    lines = code(page.read_text(encoding="utf-8"))

    wrong = [(line, word) for line in lines for words in typed(line) if (word := unknown(words)) is not None]
    wrong += [(line, path) for line in lines for path in values(line) if missing(path)]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT / "docs" / "operate").as_posix())
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("kubectl exec deploy/x -- gpudev-services adopted cluster", "adopted"),
        ("gpudev-services adopt cluster --saw 1", "--saw"),
        ("gpudev admin backups x", "backups"),
        ("gpudev down --hard", "--hard"),
        ("gpudev-services adopt cluster --seen DIGEST", None),
        ("gpudev -h", None),
    ],
)
def test_a_command_that_is_not_there_is_found_out(line, word):
    assert [unknown(words) for words in typed(line)] in ([word], [] if word is None else [word])


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("--set monitoring.rule.enabled=true", ["monitoring.rule.enabled"]),
        ("apiService.ingress.{enabled,host,name}", ["apiService.ingress.name"]),
        ("apiService.replicas", []),
    ],
)
def test_a_value_that_is_not_there_is_found_out(line, wrong):
    assert [path for path in values(line) if missing(path)] == wrong
