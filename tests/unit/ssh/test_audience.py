"""Which server a login is meant for."""

from __future__ import annotations

import pytest

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.ssh.audience import audience, canonical_origin, split_pin

PIN = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("origin", "canonical"),
    [
        ("https://lab:7070", "https://lab:7070"),
        ("https://LAB.Example", "https://lab.example:443"),
        ("https://lab:443/", "https://lab:443"),
        ("https://10.0.0.7:7070", "https://10.0.0.7:7070"),
        ("https://[2001:DB8::0001]:7070", "https://[2001:db8::1]:7070"),
        ("http://127.0.0.1:7070", "http://127.0.0.1:7070"),
    ],
)
def test_an_origin_is_written_in_one_way(origin: str, canonical: str) -> None:
    assert canonical_origin(origin) == canonical


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "lab:7070",
        "ftp://lab",
        "https://",
        "https://lab:0",
        "https://lab:99999",
        "https://lab:7070/path",
        "https://lab?x=1",
        "https://user@lab",
        "https://a:b@lab",
        "https://la b",
        " https://lab",
        "https://la\nb",
        "https://-lab",
        "https://lab..example",
        "https://[::1%eth0]",
        "https://läb",
        "http://lab:7070",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(InvalidRequest):
        canonical_origin(origin)


def test_the_pin_is_part_of_the_audience() -> None:
    assert audience("https://Lab:7070/", PIN) == f"https://lab:7070#sha256={PIN}"
    assert audience("https://lab:7070", None) == "https://lab:7070"


def test_an_address_is_taken_apart() -> None:
    assert split_pin(f"https://lab:7070#sha256={PIN.upper()}") == ("https://lab:7070", PIN)
    assert split_pin("https://lab") == ("https://lab:443", None)


@pytest.mark.parametrize("fragment", ["sha256=", f"sha256={PIN[1:]}", f"sha1={PIN}", f"sha256={PIN}\n", "x"])
def test_a_pin_that_is_none_is_refused(fragment: str) -> None:
    with pytest.raises(InvalidRequest):
        split_pin(f"https://lab:7070#{fragment}")
