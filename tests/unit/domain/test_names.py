"""The grammar of names."""

from __future__ import annotations

import uuid

import pytest

from gpudev_sdk.domain.names import ID_PREFIX, LABEL, check_label, check_name, is_id
from gpudev_sdk.errors import InvalidRequest


@pytest.mark.parametrize("name", ["a", "work", "a1", "0", "my-disk", "a" * 40])
def test_a_lawful_name_is_returned(name):
    assert check_name(name, kind="disk") == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "-a", "a-", "a_b", "a.b", "a b", "a" * 41, "a\n", "../x", "..", "wörk", "раypal", "a\0", "x" * 300],
)
def test_an_unlawful_name_is_refused_with_its_kind(name):
    with pytest.raises(InvalidRequest) as raised:
        check_name(name, kind="disk")

    assert raised.value.field == "disk"
    assert len(raised.value.message) < 100


@pytest.mark.parametrize("name", ["default", "none", "all", "gateway"])
def test_a_name_that_would_be_an_instruction_is_refused(name):
    with pytest.raises(InvalidRequest, match="reserved"):
        check_name(name, kind="reservation")


@pytest.mark.parametrize("label", ["h100", "h100-mig-1g", "rtx-4090", "us-east.1", "a_b"])
def test_a_lawful_label_is_returned(label):
    assert check_label(label, kind="GPU type") == label


@pytest.mark.parametrize("label", ["", "H100", "h100\n", "h100 ", ".h", "h.", "a" * 64, "h/100"])
def test_an_unlawful_label_is_refused(label):
    with pytest.raises(InvalidRequest, match="GPU type"):
        check_label(label, kind="GPU type")


def test_no_grammar_lets_a_trailing_newline_pass():
    assert not LABEL.match("h100\n")
    assert not ID_PREFIX.match("0123abcd\n")


def test_only_a_whole_id_in_its_one_spelling_is_an_id():
    one = uuid.uuid4()

    assert is_id(str(one))
    assert not is_id(str(one).upper()[:-1] + "F")
    assert not is_id(one.hex)
    assert not is_id("")
