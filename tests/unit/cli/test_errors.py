"""Exit codes, and errors of at most three lines whose last says what to do next."""

from __future__ import annotations

import pytest

from gpudev_sdk import errors
from tests.unit.client.stub_api import Raw, page, reservation

CODES = [
    (errors.InvalidRequest, 2),
    (errors.NotFound, 3),
    (errors.NotAllowed, 4),
    (errors.NotSignedIn, 4),
    (errors.Refused, 4),
    (errors.LimitReached, 4),
    (errors.TooManyRequests, 4),
    (errors.NoCapacity, 5),
    (errors.TimedOut, 5),
    (errors.Conflict, 1),
    (errors.Unavailable, 1),
    (errors.Paused, 1),
    (errors.StoreError, 1),
    (errors.GpudevError, 1),
]


@pytest.mark.parametrize(("kind", "status"), CODES, ids=lambda value: getattr(value, "__name__", value))
def test_each_error_has_its_exit_code_and_ends_with_a_next_step(gpudev, stub, kind, status):
    stub.on("POST", "/disks", kind("it is so\nand so", hint="Do\x1b[31m this."))
    done = gpudev("disk", "create", "work")

    assert (done.status, done.out) == (status, "")
    assert done.err == "gpudev: it is so and so\nDo?[31m this.\n"


@pytest.mark.parametrize(
    "answer",
    [page(200, b"<html>login</html>"), page(404, b"<html>"), page(200, b"{"), Raw(b"junk\r\n\r\n"),
     page(500, b"x" * 9000), page(200, b"{}", "application/json", Gpudev_Version="9.0")],
)  # fmt: skip
def test_whatever_answers_there_is_said_in_few_lines(gpudev, stub, answer):
    stub.on("POST", "/disks", answer)
    done = gpudev("disk", "create", "work")

    assert done.status == 1
    assert 2 <= len(done.err.splitlines()) <= 3


def test_no_server_says_how_to_get_one(gpudev):
    done = gpudev("list")

    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("Start one with `gpudev up`")


@pytest.mark.parametrize(
    "words", [("config", "show"), ("config", "path"), ("plugins", "list"), ("completion", "bash"), ("-h",)]
)
def test_what_needs_no_server_works_without_one(gpudev, words):
    done = gpudev(*words)

    assert done.status == 0
    assert done.out


def test_wrong_usage_is_three_lines_with_the_usage_and_the_help(gpudev):
    done = gpudev("reserve", "--xyzzy-9")

    assert done.status == 2
    assert done.err.splitlines() == [
        "gpudev: No such option '--xyzzy-9'.",
        "Usage: gpudev reserve [OPTIONS] TYPE[:N] TIME",
        "Help: gpudev reserve -h",
    ]


def test_an_alias_is_the_command(gpudev, stub):
    stub.rows = [reservation("work")]

    assert gpudev("ls").out == gpudev("list").out
    assert gpudev("release", "work").status == 0


def test_minus_h_is_help_everywhere(gpudev):
    from gpudev_cli.main import ALIASES, GROUPS

    for name in [*ALIASES, *(name for group in GROUPS.values() for name in group)]:
        done = gpudev(name, "-h")
        assert done.status == 0, name
        assert done.out.startswith("Usage: gpudev"), name


def test_every_command_of_a_group_has_help(gpudev):
    for group in ("disk", "key", "admin", "config", "plugins"):
        listed = gpudev(group, "-h").out.partition("Commands:")[2].split("\n  ")
        for name in [line.split()[0] for line in listed if line.strip()]:
            assert gpudev(group, name, "-h").status == 0


NAMES = ["a\nb", "аdmin", "..", "../x", "x" * 300, "", "A", "-", "a_b", "a\0b", "\ud800", "x\n"]


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_name_a_disk_changes_nothing(gpudev, stub, name):
    done = gpudev("disk", "create", "--", name)

    assert done.status == 2
    assert len(done.err.splitlines()) <= 3
    assert max(len(line) for line in done.err.splitlines()) <= 320
    assert stub.calls == []


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("A", "a_b")])
@pytest.mark.parametrize("command", ["show", "cancel"])
def test_what_cannot_be_a_reservation_is_not_found(gpudev, stub, name, command):
    done = gpudev(command, "--", name)

    assert done.status == 3
    assert len(done.err.splitlines()) <= 3
    assert stub.calls == []


@pytest.mark.parametrize("time", ["0", "-1", "NaN", "nan", "inf", "1e9", "1e1", "abc", "", "4 h", "0h", "1m", "99999d", "999999w",
                                  "until 25:00", "until", "1.2345h", "４h", "4h\n5m", "-4h", "true", "0.01"])  # fmt: skip
def test_what_is_no_time_is_wrong_usage_and_changes_nothing(gpudev, stub, time):
    done = gpudev("reserve", "h100", "--hours", time)

    assert done.status == 2
    assert len(done.err.splitlines()) <= 3
    assert stub.calls == []


@pytest.mark.parametrize("count", ["0x1", "-1", "NaN", "1e9", "1.5", "true", "", "９", "99999", " 1"])
def test_what_is_no_count_is_wrong_usage_and_changes_nothing(gpudev, stub, count):
    for words in (["reserve", f"h100:{count}", "4h"], ["reserve", "h100", "4h", "--gpus", count]):
        done = gpudev(*words)
        assert done.status == 2, words
        assert len(done.err.splitlines()) <= 3
    assert stub.calls == []


@pytest.mark.parametrize(
    "words",
    [["h100:2", "4h", "-g", "3"], ["h100", "4h", "-t", "t4"], ["h100", "4h", "--hours", "3h"],
     ["h100", "4h", "--disk", "a", "--no-disk"], ["h100", "4h", "--name", "A B"], ["h100", "4h", "--disk", ".."],
     ["h100", "4h", "--env", "GPUDEV_NOT_THERE"], ["h100"], [], ["h 100", "4h"], ["h100", "4h", "extra"],
     ["h100", "4h", "--backend", "$x"], ["h100", "4h", "--image", "x" * 300]],
)  # fmt: skip
def test_a_request_that_contradicts_itself_is_wrong_usage(gpudev, stub, words):
    done = gpudev("reserve", *words)

    assert done.status == 2
    assert len(done.err.splitlines()) <= 3
    assert stub.calls == []
