"""Ending, logging and answering probes, each by itself."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
import structlog

from gpudev_sdk.errors import ConfigError, Unavailable
from gpudev_services.cluster.health import Answer, living, ready, serving
from gpudev_services.logs import JsonLines
from tests.contract.services.apart import free_port

HANGS = """
import sys, threading
from gpudev_services import logs
from gpudev_services.cluster.ending import Ending
logs.to_stdout()
ending = Ending(longest=0.3)
ending.listen()
print("ready", flush=True)
ending.over.wait()
if sys.argv[1] == "hangs":
    threading.Event().wait()
"""


def ended(how):
    process = subprocess.Popen([sys.executable, "-c", HANGS, how], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    return process.returncode, out


def test_what_ends_in_order_is_not_cut():
    assert ended("in order") == (0, "")


def test_what_hangs_is_cut_after_the_bound_and_says_so():
    status, out = ended("hangs")

    assert status == 1
    assert json.loads(out)["event"] == "ended with work left, which others take up"


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_probes_say_what_is_in_the_way_and_living_is_another_thing():
    trouble = [Unavailable("the database is away")]
    port = free_port()
    answers = {
        "/healthz": living,
        "/readyz": lambda: ready(lambda: trouble[0]),
        "/metrics": lambda: Answer(200, b"x 1\n"),
    }
    with serving(f"127.0.0.1:{port}", answers):
        assert ask(port, "/healthz") == (200, b"ok\n")
        assert ask(port, "/readyz?verbose") == (503, b"the database is away\n")
        trouble[0] = None
        assert ask(port, "/readyz") == (200, b"ok\n")
        assert ask(port, "/metrics") == (200, b"x 1\n")
        assert ask(port, "/secrets")[0] == 404


def test_an_answer_that_the_database_refuses_is_no_fault_of_the_asker():
    def away():
        raise Unavailable("the database is away")

    port = free_port()
    with serving(f"127.0.0.1:{port}", {"/metrics": away}):
        assert ask(port, "/metrics") == (503, b"the database is away\n")


def test_nobody_is_answered_where_no_address_was_given():
    with serving(None, {}):
        pass


def test_an_address_that_is_none_is_named():
    with pytest.raises(ConfigError, match="--health = 'x' is not HOST:PORT"), serving("x", {}):
        pass


def record(message, error=None):
    return logging.LogRecord("lib", logging.WARNING, __file__, 1, message, (), error)


def test_a_librarys_line_becomes_a_json_object_with_its_traceback():
    try:
        raise OSError("gone")
    except OSError:
        text = JsonLines().format(record('it "broke"\nbadly', sys.exc_info()))

    assert len(text.splitlines()) == 1
    fields = json.loads(text)
    assert (fields["event"], fields["logger"], fields["level"]) == ('it "broke"\nbadly', "lib", "warning")
    assert "OSError: gone" in fields["exception"]


def test_a_line_of_ours_stays_as_it_is():
    text = structlog.processors.JSONRenderer()(None, "info", {"event": "x"})

    assert JsonLines().format(record(text)) == text
