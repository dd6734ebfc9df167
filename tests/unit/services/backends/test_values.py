"""Values of --set are typed by the settings they are for."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.errors import InvalidRequest
from gpudev_services.backends.values import knows, split, typed


@attrs.frozen(kw_only=True)
class Inner:
    count: int = 0


@attrs.frozen(kw_only=True)
class Settings:
    text: str = ""
    number: int = 0
    share: float = 0.5
    flag: bool = False
    names: list[str] = attrs.field(factory=list)
    ports: list[int] = attrs.field(factory=list)
    labels: dict[str, str] = attrs.field(factory=dict)
    types: dict[str, Inner] = attrs.field(factory=dict)
    inner: Inner = attrs.field(factory=Inner)


def test_each_kind_is_read_as_its_field_needs_it():
    given = split(
        ["text=1=2", "number=-3", "share=1", "flag=true", "names=a, b", "ports=[1, 2]", "labels.a-b=5", "types.h100.count=8",
         "inner.count=9"]
    )  # fmt: skip

    assert typed(Settings, given) == {
        "text": "1=2", "number": -3, "share": 1.0, "flag": True, "names": ["a", "b"], "ports": [1, 2],
        "labels": {"a-b": "5"}, "types": {"h100": {"count": 8}}, "inner": {"count": 9},
    }  # fmt: skip


def test_an_empty_list_and_an_empty_text_can_be_set():
    assert typed(Settings, {"names": "", "text": ""}) == {"names": [], "text": ""}


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("number", "1.5", "a whole number"),
        ("number", "many", "a whole number"),
        ("number", "true", "a whole number"),
        ("number", "1\nx = 2", "a whole number"),
        ("share", "half", "a number"),
        ("flag", "yes", "true or false"),
        ("ports", "1,x", "a whole number"),
        ("names", '"a"]', "a list"),
        ("types.h100.count", "x", "a whole number"),
        ("inner", "3", "a table"),
        ("names", "[1", "a list"),
    ],
)
def test_a_value_that_does_not_fit_says_what_would(key, value, hint):
    if (key, value) == ("names", '"a"]'):
        assert typed(Settings, {key: value}) == {"names": ['"a"]']}
        return
    with pytest.raises(InvalidRequest) as raised:
        typed(Settings, {key: value})
    assert hint in raised.value.hint


@pytest.mark.parametrize("words", [["a"], ["=b"], ["a.=b"], [".a=b"], ["a=1", "a=2"], [""]])
def test_a_word_that_is_no_setting_is_refused(words):
    with pytest.raises(InvalidRequest):
        split(words)


def test_one_setting_within_another_is_refused():
    with pytest.raises(InvalidRequest, match="beside"):
        typed(Settings, {"text": "x", "text.more": "y"})


def test_only_fields_are_known():
    assert knows(Settings, "types.h100.count")
    assert not knows(Settings, "type")
