"""What a display gives: a line to show, and a name for a new user. What a refusal says fits into what is printed."""

from __future__ import annotations

import importlib.resources
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudev_cli import words
from gpudev_sdk.domain.names import NAME
from gpudev_sdk.domain.user import Identity
from gpudev_sdk.engine.identities import SUBJECT, Proof, name_from, shown, unknown


@pytest.mark.parametrize(
    ("display", "name"),
    [
        ("kim", "kim"),
        ("Kim Park", "kim-park"),
        ("john@corp.com", "john-corp-com"),
        ("--kim--", "kim"),
        ("a" * 39 + " b", "a" * 39),
        ("a" * 81, None),
        ("kim\n", None),
        ("kim\x1b[2J", None),
        ("kim\u202e", None),
        ("\u212aim", "im"),
        ("\u043a\u0456\u043c", None),
        ("None", None),
        ("gateway", None),
        ("", None),
    ],
)
def test_a_name_is_made_of_a_plain_line_or_not_at_all(display, name):
    assert name_from(display) == name


@given(st.text(max_size=100))
def test_whatever_is_displayed_a_name_is_lawful_and_a_line_is_a_line(display):
    name = name_from(display)

    assert name is None or NAME.match(name)
    assert shown(display).isprintable()
    assert len(shown(display)) <= 80
    shown(display).encode()


@pytest.mark.parametrize("subject", ["1234", "lab/0f-1", "a b", "SHA256:x+/=", "a" * 160, '$(x)`"\\;&|<>*?~#'])
def test_a_subject_can_be_copied_into_a_shell_whole(subject):
    refusal = unknown(Proof(login="l" * 63, identity=Identity(subject=subject, display="d" * 10_000)))

    assert SUBJECT.match(subject)
    assert words.clean(refusal.hint) == refusal.hint
    assert shlex.split(refusal.hint)[-1] == subject
    assert subject in words.clean(refusal.message)


@pytest.mark.parametrize(
    "subject", ["", " ", " a", "a ", "a  b", "a'b", "a\n", "\na", "a\tb", "\x7f", "\u00fc", "a" * 161]
)
def test_what_cannot_be_copied_so_is_no_subject(subject):
    assert SUBJECT.match(subject) is None


def test_the_database_has_the_same_rule_of_subjects():
    text = (importlib.resources.files("gpudev_sdk.store") / "migrations/0012_identities.sql").read_text()
    found = re.search(r"~ '\^(.+)\$'", text)

    assert found is not None
    assert SUBJECT.pattern == r"(?=.{1,160}\Z)" + found[1] + r"\Z"
