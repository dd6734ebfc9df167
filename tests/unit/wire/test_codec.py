"""JSON in and out: strict, closed, and with errors that name the field."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.wire import bodies
from gpudev_sdk.wire.bodies import DiskBody, ExtendBody, ReserveBody
from gpudev_sdk.wire.codec import MAX_BODY, decode, encode

RESERVE = b'{"gpu_type": "h100", "gpus": 2, "duration_seconds": 3600}'


def changed(text: str) -> bytes:
    return RESERVE.replace(b'"gpus": 2', text.encode("utf-8", "surrogatepass"))


def test_a_body_is_read():
    assert decode(RESERVE, ReserveBody) == ReserveBody(gpu_type="h100", gpus=2, duration_seconds=3600)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('"gpus": "2"', "gpus"),
        ('"gpus": 2.5', "gpus"),
        ('"gpus": true', "gpus"),
        ('"gpus": null', "gpus"),
        ('"gpus": -1', "gpus"),
        ('"gpus": 9223372036854775808', "gpus"),
        ('"gpus": 2, "disk": "../x"', "disk"),
        ('"gpus": 2, "disk": "work\\n"', "disk"),
        ('"gpus": 2, "env": {"A": 1}', "env[...]"),
    ],
)
def test_a_wrong_value_names_its_field(text, field):
    with pytest.raises(InvalidRequest) as raised:
        decode(changed(text), ReserveBody)

    assert raised.value.field == field


@pytest.mark.parametrize(
    "text",
    [
        '"gpus": 2, "colour": "blue"',
        '"gpus": 2, "gpus": 3',
        '"gpus": NaN',
        '"gpus": Infinity',
        '"gpus": 2, "name": "a\\u0000b"',
        '"gpus": 2, "name": "\\ud800"',
        '"gpus": 2, "env": {"A": "1", "A": "2"}',
    ],
)
def test_what_a_reader_would_stumble_over_is_refused(text):
    with pytest.raises(InvalidRequest):
        decode(changed(text), ReserveBody)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"null", b"[]", b"1", b"\xff\xfe", b"{} {}", b"[" * 100_000, b'{"a":' * 40 + b"1" + b"}" * 40]
)
def test_what_is_no_body_is_refused(raw):
    with pytest.raises(InvalidRequest):
        decode(raw, ExtendBody)


def test_a_body_over_the_limit_is_refused_before_it_is_read():
    with pytest.raises(InvalidRequest, match="over 256 KB"):
        decode(b" " * (MAX_BODY + 1), ExtendBody)


def test_a_body_at_the_limit_is_read():
    assert decode(b'{"seconds": 60}'.ljust(MAX_BODY), ExtendBody).seconds == 60


@pytest.mark.parametrize("size", [0, -1, 2**60])
def test_a_disks_size_is_within_reason(size):
    with pytest.raises(InvalidRequest):
        decode(b'{"name": "work", "size_bytes": %d}' % size, DiskBody)


def test_every_body_refuses_unknown_fields():
    kinds = [kind for kind in vars(bodies).values() if isinstance(kind, type) and issubclass(kind, bodies.Body)]

    assert len(kinds) > 5
    assert all(kind.__struct_config__.forbid_unknown_fields for kind in kinds)


@given(st.integers(1, 366 * 86400))
def test_what_is_written_is_read_back(seconds):
    assert decode(encode(ExtendBody(seconds=seconds)), ExtendBody) == ExtendBody(seconds=seconds)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_read_or_refused(raw):
    with contextlib.suppress(InvalidRequest):
        decode(raw, ExtendBody)
