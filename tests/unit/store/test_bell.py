"""A notice or a message that says nothing of ours is read as nothing, never as an error."""

from __future__ import annotations

import uuid

import pytest

from gpudev_sdk.store.bell import Ring, parse_message, parse_ring

ROW = uuid.UUID("0198f0de-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("payload", "ring"),
    [
        (f'{{"kind": "reservation", "id": "{ROW}"}}', Ring("reservation", ROW)),
        ('{"kind": "plan", "id": null}', Ring("plan")),
        ('{"kind": "plan"}', Ring("plan")),
    ],
)
def test_a_notice_of_ours_is_read(payload, ring):
    assert parse_ring(payload) == ring


@pytest.mark.parametrize(
    "payload", ["", "x", "[]", "1", "null", "{}", '{"kind": "disk", "id": "x"}', '{"kind": "disk", "id": 5}']
)
def test_any_other_notice_is_nothing(payload):
    assert parse_ring(payload) is None


@pytest.mark.parametrize("kind", ["reservation", "disk"])
def test_a_message_of_ours_is_read(kind):
    assert parse_message({"v": 1, "kind": kind, "id": str(ROW)}) == Ring(kind, ROW)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"v": 2, "kind": "disk", "id": str(ROW)},
        {"v": 1, "kind": "other", "id": str(ROW)},
        {"v": 1, "kind": "disk"},
        {"v": 1, "kind": "disk", "id": "x"},
        {"v": 1, "kind": ["disk"], "id": str(ROW)},
    ],
)
def test_any_other_message_is_poison(body):
    assert parse_message(body) is None
