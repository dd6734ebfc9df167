"""On a terminal: questions, one live line, and Ctrl-C at each step of a reservation."""

from __future__ import annotations

import json
import threading
import time

import msgspec
import pytest

from gpudev_sdk.wire import views
from tests.unit.cli.conftest import finish
from tests.unit.client.stub_api import NOW, reservation

CTRL_C = "\x03"


@pytest.fixture
def waiting(stub):
    """A reservation that stays in line for as long as anybody watches."""
    row = reservation("home", "queued", position=2)

    def stream():
        yield row
        for _ in range(200):
            time.sleep(0.05)
            yield b": still here\n\n"

    stub.on("POST", "/reservations", row)
    stub.on("GET", f"/reservations/{row.id}/events", lambda body, headers: stream())
    stub.on("DELETE", f"/reservations/{row.id}", msgspec.structs.replace(row, state="stopping"))
    return row


def _is_cancelled(stub, row) -> bool:
    return bool(stub.asked("DELETE", f"/reservations/{row.id}"))


def test_what_is_missing_is_asked_for(terminal, stub):
    child = terminal("reserve", "--no-wait")
    child.expect("1  h100  4 × h100 now, 8 in 3[0-9] min")
    child.expect("Which")
    child.sendline("nonsense")
    child.expect("There is no 'nonsense'")
    child.sendline("h100")
    child.expect("How many")
    child.sendline("9")
    child.expect("not in the range")
    child.sendline("2")
    child.expect("Which disk")
    child.sendline("A B")
    child.expect("cannot name a disk")
    child.sendline("data")
    child.expect("How long")
    child.sendline("never")
    child.expect("is not a time")
    child.sendline("90m")
    status, _ = finish(child)
    sent = json.loads(stub.asked("POST", "/reservations")[0][2])

    assert status == 0
    assert (sent["gpu_type"], sent["gpus"], sent["disk"], sent["duration_seconds"]) == ("h100", 2, "data", 5400)


def test_only_what_is_missing_is_asked_for(terminal, stub):
    child = terminal("reserve", "cpu", "--no-wait")
    child.expect("How long")
    child.sendline("")
    assert finish(child)[0] == 0
    sent = json.loads(stub.asked("POST", "/reservations")[0][2])
    assert (sent["gpus"], sent["disk"], sent["duration_seconds"]) == (0, "home", 4 * 3600)


def test_a_busy_home_is_a_choice(terminal, stub):
    disk = views.DiskView(
        id=reservation().id, name="home", size_bytes=1, created_at=NOW, in_use_by="big", in_use_state="active"
    )
    stub.on("GET", "/disks", views.DisksView(items=[disk]))
    child = terminal("reserve", "h100", "4h", "--no-wait")
    child.expect("home is in use by your reservation big")
    child.expect("Which disk")
    child.sendline("home")
    child.expect("home is in use by big")
    child.sendline("none")
    assert finish(child)[0] == 0
    assert json.loads(stub.asked("POST", "/reservations")[0][2]).get("disk") is None


@pytest.mark.parametrize("question", [0, 1, 2, 3])
def test_ctrl_c_at_a_question_reserves_nothing(terminal, stub, question):
    child = terminal("reserve")
    for prompt, answer in [("Which", "h100"), ("How many", "1"), ("Which disk", "home")][:question]:
        child.expect(prompt)
        child.sendline(answer)
    child.expect(["Which", "How many", "Which disk", "How long"][question])
    child.send(CTRL_C)
    status, _ = finish(child)

    assert status == 130
    assert stub.asked("POST", "/reservations") == []


def test_ctrl_c_while_waiting_asks_once_and_cancels(terminal, stub, waiting):
    child = terminal("reserve", "h100", "4h")
    child.expect("in line, place 2")
    child.send(CTRL_C)
    child.expect("Cancel the reservation home")
    child.sendline("y")
    status, rest = finish(child)

    assert status == 130
    assert "home is cancelled" in rest
    assert _is_cancelled(stub, waiting)


@pytest.mark.parametrize("answer", ["n\n", "\n", CTRL_C, "\x04"])
def test_ctrl_c_while_waiting_keeps_it_unless_told_otherwise(terminal, stub, waiting, answer):
    child = terminal("reserve", "h100", "4h")
    child.expect("in line, place 2")
    child.send(CTRL_C)
    child.expect("Cancel the reservation home")
    child.send(answer)
    status, rest = finish(child)

    assert status == 130
    assert "gpudev cancel home" in rest
    assert not _is_cancelled(stub, waiting)


def test_ctrl_c_while_the_request_is_on_its_way_says_what_became_of_it(terminal, stub, waiting):
    arrived, go_on = threading.Event(), threading.Event()

    def slowly(body, headers):
        arrived.set()
        go_on.wait(10)
        return waiting

    stub.on("POST", "/reservations", slowly)
    child = terminal("reserve", "h100", "4h")
    assert arrived.wait(10)
    child.send(CTRL_C)
    child.expect("Interrupted")
    go_on.set()
    child.expect("was in line already, as home")
    child.expect("Cancel the reservation home")
    child.sendline("y")

    assert finish(child)[0] == 130
    assert _is_cancelled(stub, waiting)


def test_a_second_ctrl_c_on_the_way_says_that_it_may_have_arrived(terminal, stub, waiting):
    arrived, go_on = threading.Event(), threading.Event()

    def slowly(body, headers):
        arrived.set()
        go_on.wait(10)
        return waiting

    stub.on("POST", "/reservations", slowly)
    child = terminal("reserve", "h100", "4h")
    assert arrived.wait(10)
    child.send(CTRL_C)
    child.expect("asking what became of the request")
    child.send(CTRL_C)
    status, rest = finish(child)
    go_on.set()

    assert status == 130
    assert "may have arrived: gpudev list" in rest


def test_ctrl_c_while_connecting_to_a_refusing_server_reserves_nothing(terminal, stub):
    arrived, go_on = threading.Event(), threading.Event()

    def refuse(body, headers):
        from gpudev_sdk.errors import LimitReached

        arrived.set()
        go_on.wait(10)
        return LimitReached("enough")

    stub.on("POST", "/reservations", refuse)
    child = terminal("reserve", "h100", "4h")
    assert arrived.wait(10)
    child.send(CTRL_C)
    # The refusal comes after the Ctrl-C was heard: one that comes first ends the command as a refusal.
    child.expect("asking what became of the request")
    go_on.set()
    status, rest = finish(child)

    assert status == 130
    assert "Nothing was reserved" in rest


def test_the_include_line_is_not_asked_about_where_it_would_do_nothing(terminal, stub, places):
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINbaQArnB/ItuNby4kQM3ixeOnro/JosN/CBVcwwdV16"
    server = stub.answers["GET", "/v1/server"]
    gateway = views.GatewayView(port=1, host=None, host_key=line, host_ca=line)
    stub.on("GET", "/server", msgspec.structs.replace(server, gateway=gateway))
    row = reservation("home", "active")
    stub.on("POST", "/reservations", row)
    stub.on("GET", f"/reservations/{row.id}/events", lambda body, headers: iter([row]))
    stub.on("GET", "/reservations", views.ReservationPage(items=[row]))
    status, rest = finish(terminal("reserve", "h100", "4h"))

    assert status == 0
    assert "Include" not in rest
    assert "gpudev connect home" in rest


def test_deleting_a_disk_asks(terminal, stub):
    child = terminal("disk", "delete", "work")
    child.expect("Delete the disk work")
    child.sendline("n")

    assert finish(child)[0] == 130
    assert stub.calls == []


def test_several_boxes_are_a_choice(terminal, stub):
    stub.rows = [reservation("one"), reservation("two")]
    child = terminal("connect")
    child.expect("1  one")
    child.expect("Which")
    child.send(CTRL_C)

    assert finish(child)[0] == 130


def test_a_watched_list_ends_with_ctrl_c(terminal, stub):
    stub.rows = [reservation("work")]
    child = terminal("list", "--watch")
    child.expect("work")
    child.send(CTRL_C)

    assert finish(child)[0] == 130
