"""Servers' names, files' digests, and the graph of states."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudev_sdk.domain.reservation import LIVE, MOVES, State
from gpudev_sdk.domain.server import ServerId, ServerSpec, digest_files


@given(st.uuids(), st.integers(0, 10**6))
def test_a_server_id_is_read_back(reservation_id, attempt):
    server_id = ServerId(reservation_id, attempt)

    assert ServerId.parse(str(server_id)) == server_id


@pytest.mark.parametrize(
    "text", ["", "gd-", f"gd-{uuid.UUID(int=1)}", f"xx-{uuid.UUID(int=1)}-1", f"gd-{uuid.UUID(int=1)}-01", "gd-x-1"]
)
def test_any_other_spelling_is_no_server_id(text):
    with pytest.raises(ValueError, match=r".*"):
        ServerId.parse(text)


def test_a_digest_does_not_depend_on_the_order_of_files():
    assert digest_files({"a": b"1", "b": b"2"}) == digest_files({"b": b"2", "a": b"1"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": b"1"}, {"a": b"2"}),
        ({"a": b"1"}, {"b": b"1"}),
        ({"a": b"1"}, {}),
        ({"a": b"12", "b": b""}, {"a": b"1", "b": b"2"}),
        ({"a": b"", "ab": b""}, {"aa": b"", "b": b""}),
    ],
)
def test_different_files_have_different_digests(one, other):
    assert digest_files(one) != digest_files(other)


def test_secrets_do_not_show_in_a_specs_repr():
    spec = ServerSpec(
        server_id=ServerId(uuid.uuid4(), 1), name="n", owner_number=1, owner="ada", node="n", gpu_type="cpu",
        slots=(0,), gpus=0, mount=None, files={"host_key": b"PRIVATE"}, env={"TOKEN": "hunter2"},
    )  # fmt: skip

    assert "PRIVATE" not in repr(spec)
    assert "hunter2" not in repr(spec)


def test_nothing_leaves_ended_and_all_but_ended_is_live():
    assert MOVES[State.ENDED] == frozenset()
    assert set(LIVE) == set(State) - {State.ENDED}


def test_stopping_is_the_only_way_out():
    ways = {state for state, to in MOVES.items() if State.ENDED in to}

    assert ways == {State.STOPPING}
