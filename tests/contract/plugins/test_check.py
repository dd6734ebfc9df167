"""A check of a live backend: whom it asks, what it says of it, and what it says where there is nothing to ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import attrs
import pytest
from gpudev_example.providers import ExampleCompute, ExampleSettings, ExampleStorage

from gpudev_sdk import config
from gpudev_sdk.errors import TryLater
from gpudev_sdk.laws import Result, Verdict
from gpudev_sdk.wire.views import ServerView
from gpudev_services.backends import check

SHELF = '[backends.shelf]\ncompute = "example"\nstorage = "{storage}"\n'


@pytest.fixture
def run(tmp_path, capsys):
    """Check a backend as its main does, with a configuration in an empty data folder."""

    def check_it(*words, text=SHELF.format(storage="example")):
        path = tmp_path / "config.toml"
        path.write_text(text)
        capsys.readouterr()
        status = check.main([*words, "--config", str(path), "--data", str(tmp_path / "data")])
        return (status, *capsys.readouterr())

    return check_it


def replaced(monkeypatch, compute=ExampleCompute, storage=ExampleStorage):
    """Have the backend's providers be these classes."""
    found = config.Providers(
        compute=compute, compute_settings=ExampleSettings(), storage=storage, storage_settings=ExampleSettings()
    )
    monkeypatch.setattr(check.config, "read_backend", lambda table, name: found)


def numbers(text):
    return {line.split()[0] for line in text.splitlines()[1:]}


def test_every_law_is_shown_with_what_came_of_it(run):
    status, out, err = run("example", "--backend", "shelf")

    assert status == 0
    assert out.splitlines()[0].split() == ["LAW", "WHAT", "RESULT", "TOOK"]
    assert {"1.1", "1.4", "1.6", "2.1", "2.12", "3.2", "4.6"} <= numbers(out)
    assert all(" kept " in line for line in out.splitlines()[1:])
    assert "its lists are empty" in err


def test_only_what_the_plugin_provides_is_asked(run):
    text = SHELF.format(storage="local")

    assert numbers(run("example", "--backend", "shelf", text=text)[1]) & {"2.7", "3.2"} == {"2.7"}
    assert numbers(run("local", "--backend", "shelf", text=text)[1]) & {"2.7", "3.2"} == {"3.2"}
    assert numbers(run("--backend", "shelf", text=text)[1]) & {"2.7", "3.2"} == {"2.7", "3.2"}


def test_nothing_is_made_on_this_machine(run, tmp_path):
    run("--backend", "local", text="")
    run("example", "--backend", "shelf")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml"]


def test_a_broken_law_says_how_and_exits_1(run, monkeypatch):
    twice = type("Twice", (ExampleCompute,), {"get_availability_zones": lambda self: ("elsewhere",)})
    replaced(monkeypatch, compute=twice)

    status, out, _ = run("example", "--backend", "shelf")

    assert status == 1
    assert [line for line in out.splitlines() if "broken: nodes are in local, which is no zone of elsewhere" in line]


def test_a_place_that_cannot_be_reached_is_one_error(run, monkeypatch):
    def away(self):
        raise TryLater("no route to it")

    replaced(monkeypatch, compute=type("Away", (ExampleCompute,), {"list_servers": away, "nodes": away}))
    status, out, err = run("example", "--backend", "shelf")

    assert status == 1
    assert "not tried: no route to it" in out
    assert err.splitlines()[-2:] == [
        "gpudev: shelf could not be asked: no route to it",
        "See that the place can be reached from here, and by whom it is asked.",
    ]


def test_json_says_the_same(run):
    status, out, _ = run("example", "--backend", "shelf", "--json")
    told = json.loads(out)

    assert status == 0
    assert told["backend"] == "shelf"
    assert {"law": "2.7", "what": "each server is listed once", "result": "kept", "why": ""}.items() <= next(
        item for item in told["items"] if item["law"] == "2.7"
    ).items()


@pytest.mark.parametrize(
    ("words", "text", "status", "said"),
    [
        (["--backend", "nope"], SHELF.format(storage="example"), 3, "has no backend 'nope' (there are: shelf)"),
        (["kind", "--backend", "shelf"], SHELF.format(storage="example"), 2, "is of example, not of 'kind'"),
        (["--backend", "shelf"], SHELF.format(storage="moon"), 1, "no installed plugin is called 'moon'"),
        (["--backend", "shelf"], "[backends", 1, "is not valid TOML"),
        (["--backend", "shelf"], SHELF.format(storage="example") + "gpus = 1\n", 1, "does not know 'gpus'"),
        (["--backend", "shelf"], "[backends.shelf]\nstorage = 'local'\n", 1, "names no compute"),
    ],
)
def test_what_is_wrong_is_one_error_with_the_next_step(run, words, text, status, said):
    found, out, err = run(*words, text=text)

    assert (found, out) == (status, "")
    assert said in err
    assert len(err.splitlines()) <= 3


@pytest.mark.parametrize("backend", ["shelf", "local"])
def test_a_configuration_that_is_not_there_is_said(capsys, tmp_path, backend):
    """Also for the backend that a machine is when nothing is configured: a file that is named is meant."""
    status = check.main(["--backend", backend, "--config", str(tmp_path / "none.toml")])

    assert status == 3
    assert "there is no configuration" in capsys.readouterr().err


def test_a_server_that_is_up_lends_its_install(run, monkeypatch, tmp_path):
    seen = []
    replaced(monkeypatch, storage=type("Seen", (ExampleStorage,), {"__init__": lambda self, settings, context: (
        seen.append(context), ExampleStorage.__init__(self, settings, context))[1]}))  # fmt: skip
    view = ServerView(version="1", install_id="00000000-0000-7000-8000-000000000001", install="lab")
    monkeypatch.setattr(check, "running", lambda folder: 1)
    monkeypatch.setattr(check.Api, "get", lambda self, path, kind: view)

    status, _, err = run("example", "--backend", "shelf")

    ours, others = seen
    assert (status, err) == (0, "")
    assert (ours.install_id, ours.data_folder) == (view.install_id, tmp_path / "data" / "backends" / "shelf")
    assert others.install_id != ours.install_id
    assert others.data_folder != ours.data_folder


def test_a_place_that_hangs_does_not_keep_the_process(tmp_path):
    program = f"""
import sys, threading
from gpudev_example.providers import ExampleCompute
from gpudev_services.backends import check
from gpudev_sdk.laws import judge
ExampleCompute.describe = lambda self: threading.Event().wait()
check.judge = lambda place: judge(place, longest=0.2)
sys.exit(check.main(["--backend", "shelf", "--config", {str(tmp_path / "c.toml")!r}, "--data", {str(tmp_path)!r}]))
"""
    (tmp_path / "c.toml").write_text(SHELF.format(storage="example"))

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"]},
    )

    assert done.returncode == 1, done.stderr
    assert "never came back" in done.stdout


def test_what_came_of_a_law_cannot_steer_the_terminal(capsys):
    verdict = Verdict(number="2.4", says="words", result=Result.BROKEN, why="a\x1b[2Jb\nc" + "x" * 500)

    check.say(check.Checked(backend="b", verdicts=[verdict]), as_json=False)

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2
    assert max(map(len, out.splitlines())) < 250


def test_only_lists_that_were_not_answered_are_an_error():
    kept = Verdict(number="2.7", says="", result=Result.KEPT)

    assert (
        check.status(
            check.Checked(backend="b", verdicts=[kept, attrs.evolve(kept, number="2.5", result=Result.NOT_TRIED)])
        )
        == 0
    )
