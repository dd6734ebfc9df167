"""Calls, and every way in which an answer can be none."""

from __future__ import annotations

import time

import pytest

from gpudev_sdk.client.problems import Garbled, OtherVersion
from gpudev_sdk.client.transport import ConnectionLost
from gpudev_sdk.errors import (
    Conflict,
    GpudevError,
    InvalidRequest,
    LimitReached,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Paused,
    ServerUnreachable,
    TooManyRequests,
    Unavailable,
)
from gpudev_sdk.wire.bodies import ReserveBody
from tests.unit.client.stub_api import Raw, page, reservation

BODY = ReserveBody(gpu_type="h100", gpus=2, duration_seconds=3600, disk="work")


def test_views_come_back_as_values(calls, stub):
    stub.rows = [reservation("work")]

    assert [row.name for row in calls.list()] == ["work"]
    assert calls.show("work").gpus == 2
    assert calls.history("work")[0].what == "submitted"
    assert calls.me().user == "kim"


@pytest.mark.parametrize(
    "error", [NotFound("x", hint="do"), NotAllowed("x", hint="do"), Conflict("x", hint="do"), LimitReached("x", hint="do"),
              NotSignedIn("x", hint="do"), InvalidRequest("x", hint="do")]
)  # fmt: skip
def test_a_problem_is_raised_as_the_error_that_it_is(calls, stub, error):
    stub.on("POST", "/dry-run", error)

    with pytest.raises(type(error)) as caught:
        calls.dry_run_body(BODY)
    assert (caught.value.message, caught.value.hint) == ("x", "do")


def test_an_error_of_the_servers_own_names_the_request_id(calls, stub):
    stub.on("GET", "/me", GpudevError("broken"))

    with pytest.raises(GpudevError) as caught:
        calls.me()
    assert "abc123" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotSignedIn), (403, NotAllowed), (404, NotFound), (409, GpudevError)]
)
def test_a_code_of_a_newer_server_is_taken_by_its_status(calls, stub, status, kind):
    body = b'{"type":"https://gpudev.dev/problems/brand-new","title":"t","status":1,"detail":"said"}'
    stub.on("POST", "/dry-run", page(status, body, "application/problem+json"))

    with pytest.raises(kind, match="said"):
        calls.dry_run_body(BODY)


GARBAGE = {
    "html": page(200, b"<html>hello</html>"),
    "html-404": page(404, b"<html>no</html>"),
    "html-500": page(500, b"<h1>oops</h1>"),
    "empty": page(200, b""),
    "not-json": page(200, b"{", "application/json"),
    "wrong-shape": page(200, b'{"user": 3}', "application/json"),
    "bad-utf8": page(200, b'{"user": "\xff\xfe"}', "application/json"),
    "deep": page(200, b"[" * 100_000, "application/json"),
    "redirect": page(302, b"", Location="https://evil.example/"),
    "not-http": Raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "nothing": Raw(b""),
    "half": Raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"user\":"),
    "half-chunk": Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"us"),
    "bad-chunk": Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "endless-head": Raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n"),
    "long-line": Raw(b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_an_error_with_a_next_step(calls, stub, answer, monkeypatch):
    monkeypatch.setattr("gpudev_sdk.client.api.READ_PATIENCE", 0.0)
    stub.on("GET", "/me", answer)

    with pytest.raises((Unavailable, OtherVersion)) as caught:
        calls.me()
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["half", "half-chunk", "bad-chunk", "nothing"])
def test_a_part_of_an_answer_is_a_broken_connection(calls, stub, name, monkeypatch):
    monkeypatch.setattr("gpudev_sdk.client.api.READ_PATIENCE", 0.0)
    stub.on("GET", "/me", GARBAGE[name])

    with pytest.raises(ConnectionLost):
        calls.me()


def test_a_web_page_is_called_one(calls, stub):
    stub.on("GET", "/me", GARBAGE["html"])

    with pytest.raises(Garbled, match="a web page"):
        calls.me()


def test_a_server_that_does_not_answer_is_given_up(calls, stub, monkeypatch):
    monkeypatch.setattr("gpudev_sdk.client.api.READ_PATIENCE", 0.0)
    stub.on("GET", "/me", Raw(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause=3.0))

    with pytest.raises(ConnectionLost, match="did not answer in time"):
        calls.me()


def test_an_answer_that_drips_is_given_up(calls, stub, monkeypatch):
    monkeypatch.setattr("gpudev_sdk.client.api.READ_PATIENCE", 0.0)
    monkeypatch.setattr("gpudev_sdk.client.transport.MAX_SECONDS", 0.2)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    stub.on("GET", "/me", Raw(head, *[b"x"] * 50, pause=0.05))

    with pytest.raises(ConnectionLost, match="did not answer in time"):
        calls.me()


def test_an_answer_without_end_is_given_up(calls, stub, monkeypatch):
    monkeypatch.setattr("gpudev_sdk.client.api.READ_PATIENCE", 0.0)
    monkeypatch.setattr("gpudev_sdk.client.transport.MAX_REPLY", 1000)
    stub.on("GET", "/me", page(200, b"x" * 5000, "application/json"))

    with pytest.raises(ConnectionLost, match="no end"):
        calls.me()


def test_a_server_that_was_never_there_is_said_at_once(calls, stub):
    stub.stop()
    begun = time.monotonic()

    with pytest.raises(ServerUnreachable) as caught:
        calls.submit(BODY)
    assert time.monotonic() - begun < 5
    assert "gpudev up" in caught.value.hint


def test_another_major_version_asks_for_an_upgrade(calls, stub):
    stub.on("GET", "/me", page(200, b"{}", "application/json", Gpudev_Version="3.1.4"))

    with pytest.raises(OtherVersion, match=r"3\.1\.4"):
        calls.me()


def test_a_server_without_this_api_asks_for_an_upgrade(calls, stub):
    for path in ("/me", "/server"):
        stub.on("GET", path, NotFound("There is no such thing."))

    with pytest.raises(OtherVersion) as caught:
        calls.me()
    assert "pip install --upgrade" in caught.value.hint


def test_a_proxy_that_knows_no_way_there_is_not_taken_for_another_version(calls, stub):
    for path in ("/me", "/server"):
        stub.on("GET", path, page(404, b"404 page not found\n", "text/plain"))

    with pytest.raises(Garbled, match="status 404") as caught:
        calls.me()
    assert "in between" in caught.value.hint


def test_what_is_spoken_is_the_major_version_of_this_distribution():
    import importlib.metadata

    from gpudev_sdk.client.problems import SPOKEN_MAJOR

    assert importlib.metadata.version("gpudev-sdk").split(".")[0] == SPOKEN_MAJOR


def _failing_first(stub, *answers):
    left = list(answers)

    def answer(body, headers):
        return left.pop(0) if left else reservation("work", "queued")

    stub.on("POST", "/reservations", answer)


@pytest.mark.parametrize("failure", [Unavailable("away"), TooManyRequests("slow"), Raw(b""), page(502, b"<html>")])
def test_a_request_is_sent_again_with_the_same_key(calls, stub, failure, monkeypatch):
    monkeypatch.setattr("gpudev_sdk.client.api.time.sleep", lambda seconds: None)
    _failing_first(stub, failure, failure)

    assert calls.submit(BODY).name == "work"
    keys = [headers["idempotency-key"] for *_, headers in stub.asked("POST", "/reservations")]
    assert len(keys) == 3
    assert len(set(keys)) == 1


@pytest.mark.parametrize("failure", [Conflict("busy"), Paused("paused"), page(200, b"<html>")])
def test_what_waiting_does_not_mend_is_not_sent_again(calls, stub, failure):
    _failing_first(stub, failure)

    with pytest.raises(GpudevError):
        calls.submit(BODY)
    assert len(stub.asked("POST", "/reservations")) == 1


def test_an_extension_is_never_sent_twice(calls, stub):
    stub.rows = [reservation("work")]
    stub.on("POST", "/reservations/work/extend", Raw(b""))

    with pytest.raises(ConnectionLost):
        calls.extend("work", 1)
    assert len(stub.asked("POST", "/reservations/work/extend")) == 1


@pytest.mark.parametrize(
    "ref", ["", "..", ".", "a/b", "a\nb", "ä", "x" * 300, "a?b", "a#b", "%2e", "../me", " work", "-x"]
)
def test_what_cannot_be_a_name_is_not_found_and_not_sent(calls, stub, ref):
    for ask in (calls.show, calls.cancel, calls.disks.show, calls.keys.remove, calls.history):
        with pytest.raises(NotFound):
            ask(ref)
    assert stub.calls == []


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), True, "1", None, 1e9])
def test_hours_that_are_none_are_refused_before_sending(calls, stub, hours):
    with pytest.raises(InvalidRequest):
        calls.extend("work", hours)
    with pytest.raises(InvalidRequest):
        calls.dry_run("h100", hours=hours)
    assert stub.calls == []


@pytest.mark.parametrize("gpus", [-1, 1.5, True, "1", 10**9, None])
def test_counts_that_are_none_are_refused_before_sending(calls, stub, gpus):
    with pytest.raises(InvalidRequest) as caught:
        calls.dry_run("h100", hours=1, gpus=gpus)
    assert caught.value.field == "gpus"
    assert stub.calls == []


def test_an_unknown_option_is_refused(calls, stub):
    with pytest.raises(InvalidRequest, match="colour"):
        calls.dry_run("h100", hours=1, colour="red")


def test_a_text_that_cannot_be_sent_is_refused(calls, stub):
    with pytest.raises(InvalidRequest):
        calls.dry_run("h100", hours=1, image="\ud800")


def test_cpu_boxes_have_no_gpus_unless_said(calls):
    from gpudev_sdk.client.requests import make_body

    assert make_body("cpu", 1).gpus == 0
    assert make_body("h100", 1).gpus == 1
    assert make_body("h100", 1).disk == "home"
    assert make_body("h100", 1, disk=None).disk is None


def test_long_lists_are_read_page_by_page(calls, stub):
    pages = {"": ("work", "17"), "17": ("other", None)}

    def answer(body, headers):
        query = stub.calls[-1][1].partition("?")[2]
        after = query.partition("after=")[2]
        name, following = pages[after]
        return {"items": [reservation(name)], "next": following}

    stub.on("GET", "/reservations", answer)

    assert [row.name for row in calls.list(state="all")] == ["work", "other"]
