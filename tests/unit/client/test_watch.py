"""The stream of a reservation's changes, cut off and taken up again."""

from __future__ import annotations

import time

import pytest

from gpudev_sdk.client.problems import Garbled
from gpudev_sdk.errors import NotFound, NotSignedIn, ServerUnreachable, Unavailable
from tests.unit.client.stub_api import Raw, page, reservation

PATH = "/reservations/work/events"


def _in_turn(stub, *answers):
    left = list(answers)
    stub.on("GET", PATH, lambda body, headers: left.pop(0) if len(left) > 1 else left[0])


def test_every_change_is_yielded_until_the_end(calls, stub):
    row = reservation("work", "queued")
    states = ["queued", "preparing", "active", "stopping", "ended"]
    stub.on("GET", PATH, iter([reservation("work", state, id=row.id) for state in states]))

    assert [view.state for view in calls.watch("work")] == states


def test_signs_of_life_and_repetitions_are_no_news(calls, stub):
    row, end = reservation("work", "queued"), reservation("work", "ended")
    stub.on("GET", PATH, iter([row, b": still here\n\n", row, b"\n", end]))

    assert [view.state for view in calls.watch("work")] == ["queued", "ended"]


def test_a_stream_that_breaks_off_is_opened_again(calls, stub):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    _in_turn(stub, iter([reservation("work", "queued")]), Raw(head + b"40\r\nda"), Unavailable("db"), Raw(b""),
             iter([reservation("work", "ended")]))  # fmt: skip

    assert [view.state for view in calls.watch("work")] == ["queued", "ended"]


def test_a_server_that_stays_away_is_said_in_the_end(calls, stub, monkeypatch):
    monkeypatch.setattr("gpudev_sdk.client.calls.STREAM_PATIENCE", 0.2)
    _in_turn(stub, iter([reservation("work", "queued")]), Unavailable("the database is away"))

    with pytest.raises(Unavailable, match="the database is away"):
        list(calls.watch("work"))


def test_a_server_that_was_never_there_is_said_at_once(calls, stub):
    stub.stop()

    with pytest.raises(ServerUnreachable):
        next(calls.watch("work"))


@pytest.mark.parametrize("error", [NotFound("gone"), NotSignedIn("over")])
def test_a_refusal_ends_it(calls, stub, error):
    _in_turn(stub, iter([reservation("work", "queued")]), error)

    with pytest.raises(type(error)):
        list(calls.watch("work"))


@pytest.mark.parametrize("answer", [page(200, b"data: <html>\n"), page(200, b'data: {"id": 1}\n\n')])
def test_news_that_cannot_be_read_are_an_error(calls, stub, answer):
    stub.on("GET", PATH, answer)

    with pytest.raises(Garbled):
        list(calls.watch("work"))


def test_a_timeout_ends_a_silent_stream(calls, stub):
    def silent():
        yield reservation("work", "queued")
        time.sleep(2)

    stub.on("GET", PATH, lambda body, headers: silent())
    begun = time.monotonic()

    assert calls.reached("work", lambda view: view.state == "active", timeout=0.3) is None
    assert time.monotonic() - begun < 1.9


def test_reaching_stops_where_it_is_reached(calls, stub):
    stub.on("GET", PATH, iter([reservation("work", "preparing"), reservation("work", "active"), b": more\n\n"]))

    assert calls.reached("work", lambda view: view.state == "active").state == "active"
