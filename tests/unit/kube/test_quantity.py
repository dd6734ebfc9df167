"""Quantities, as Kubernetes writes them."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (None, 0),
        ("0", 0),
        (3, 3),
        ("2", 2),
        ("1.5", 1.5),
        ("500m", 0.5),
        ("100u", 1e-4),
        ("100n", 1e-7),
        ("1k", 1e3),
        ("1M", 1e6),
        ("2G", 2e9),
        ("1T", 1e12),
        ("1P", 1e15),
        ("1E", 1e18),
        ("1Ki", 2**10),
        ("64Mi", 2**26),
        ("64Gi", 2**36),
        ("1Ti", 2**40),
        ("1Pi", 2**50),
        ("1Ei", 2**60),
        ("128974848", 128974848),
        ("1e3", 1e3),
        ("12E2", 1200),
        ("+5", 5),
        ("-1", -1),
    ],
)
def test_every_way_to_write_a_quantity_is_read(text, number):
    assert quantity.read(text) == number


@pytest.mark.parametrize("text", ["", "many", "1 Gi", "1KB", "1gi", "0x10", "1Gi\n", "--1", "Gi", "."])
def test_what_is_no_quantity_is_a_value_error(text):
    with pytest.raises(ValueError, match="not a quantity"):
        quantity.read(text)


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1000m"), (4.5, "4500m"), (0.0004, "1m"), (0, "1m"), (2.9999, "2999m")]
)
def test_cpus_are_written_in_whole_thousandths_and_never_as_nothing(number, text):
    assert quantity.cpus(number) == text


def test_a_size_is_written_in_whole_bytes():
    assert quantity.size(2**30 * 0.3) == "322122547"
