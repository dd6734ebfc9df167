"""`gpudev backend`: what it passes on, and what the services do with it in a data folder of the tests."""

from __future__ import annotations

import json
import sys
import tomllib

import pytest

from gpudev_services.main import main as services
from tests.unit.cli.conftest import Done


@pytest.fixture
def backend(environ, monkeypatch, capsys):
    """Run `gpudev backend …` as a person does, but in this process."""
    from gpudev_cli import services as passing
    from gpudev_cli.main import run

    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    class Became(Exception):
        """This process would be another now."""

    def become(program, words):
        assert words[:3] == [sys.executable, "-m", "gpudev_services"]
        raise Became(services(words[3:]))

    monkeypatch.setattr(passing.os, "execv", become)

    def command(*words):
        capsys.readouterr()
        try:
            status = run(["backend", *words])
        except Became as became:
            (status,) = became.args
        return Done(status, *capsys.readouterr())

    return command


@pytest.fixture
def config(places):
    places.data.mkdir(parents=True, exist_ok=True)
    return places.data / "config.toml"


def test_a_first_backend_leaves_the_one_that_was_implied(backend, config):
    done = backend("add", "kube", "--name", "lab", "--set", "share=0.5", "--set", "tolerations=a,b", "--yes")

    assert done.status == 0, done
    assert tomllib.loads(config.read_text()) == {
        "backends": {
            "local": {"compute": "local", "storage": "local"},
            "lab": {"compute": "kube", "storage": "kube", "kube": {"share": 0.5, "tolerations": ["a", "b"]}},
        }
    }
    assert "stays one" in done.out
    assert done.out.splitlines()[-1] == "It is used from the next start: gpudev down, then gpudev up."
    assert config.stat().st_mode & 0o777 == 0o600


def test_added_and_removed_the_file_is_what_it_was(backend, config):
    mine = '# Mine.\nname = "lab" # so\n\n[backends.here]\ncompute = "local"\nstorage = "local"\n'
    mine = mine.replace("\n\n", "\r\n\r\n").encode()
    config.write_bytes(mine)
    config.chmod(0o640)
    assert backend("add", "kube", "--yes").status == 0
    assert config.read_bytes().startswith(mine)
    assert backend("remove", "kube", "--yes").status == 0

    assert config.read_bytes() == mine
    assert config.stat().st_mode & 0o777 == 0o640


def test_the_list_says_what_is_there_and_what_would_not_start(backend, config):
    assert json.loads(backend("list", "--json").out)["items"] == [
        {"name": "local", "compute": "local", "storage": "local", "written": False, "up": None, "error": None}
    ]
    config.write_text(
        '[backends.a]\ncompute = "nonesuch"\nstorage = "local"\n[backends.b]\ncompute = "local"\nstorage = "local"\n'
    )
    done = backend("list")

    assert [line.split()[:3] for line in done.out.splitlines()] == [
        ["NAME", "COMPUTE", "STORAGE"],
        ["a", "nonesuch", "local"],
        ["b", "local", "local"],
    ]
    assert done.err.startswith("a: no installed plugin is called 'nonesuch'")


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        (["add", "nonesuch", "--yes"], "pip install gpudev-nonesuch", 1),
        (["add", "ssh", "--yes"], "offers no Compute", 1),
        (["add", "kube"], "say it with --yes", 2),
        (["add", "kube", "--set", "colour=red", "--yes"], "It knows: access_mode", 2),
        (["add", "kube", "--set", "share=2", "--yes"], "Correct it and start again", 1),
        (["add", "kube", "--set", "share=-x", "--yes"], "It is a number", 2),
        (["add", "kube", "--set", "share", "--yes"], "Such as: --set", 2),
        (["add", "kube", "--name", "A b", "--yes"], "Use a-z", 2),
        (["add", "kube", "--storage", "ssh", "--yes"], "offers no Storage", 1),
        (["remove", "nonesuch", "--yes"], "gpudev backend list", 3),
        (["remove", "local", "--yes"], "Add another backend", 1),
        (["add"], "Help: gpudev backend add -h", 2),
    ],
)
def test_what_cannot_be_is_said_with_a_next_step_and_changes_nothing(backend, config, words, said, status):
    done = backend(*words)

    assert (done.status, config.exists()) == (status, False), done
    assert said in done.err
    assert len(done.err.splitlines()) <= 3


def test_a_name_is_given_once(backend, config):
    backend("add", "kube", "--yes")
    before = config.read_text()

    assert "a backend kube already" in backend("add", "kube", "--yes").err
    assert config.read_text() == before


def test_a_file_that_is_no_toml_is_left_alone(backend, config):
    config.write_text("backends = [\n")
    for words in (["add", "kube", "--yes"], ["list"], ["remove", "kube", "--yes"]):
        done = backend(*words)
        assert done.status == 1
        assert "is not valid TOML" in done.err
    assert config.read_text() == "backends = [\n"


def test_what_cannot_be_cut_out_says_its_lines(backend, config):
    text = 'backends.a = {compute = "local", storage = "local"}\nbackends.b = {compute = "local", storage = "local"}\n'
    config.write_text(text)
    done = backend("remove", "b", "--yes")

    assert "Remove it by hand (line 2)" in done.err
    assert config.read_text() == text


def test_without_a_server_it_says_what_is_not_known(backend, config):
    backend("add", "kube", "--yes")
    done = backend("remove", "kube", "--yes")

    assert "it is not known whether anybody has reservations or disks on kube" in done.out
    assert backend("remove", "local", "--yes").out.count("No backend is left") == 1


def test_a_place_is_taken_down_only_where_there_is_one(backend, config):
    backend("add", "kube", "--yes")

    assert "could take down" in backend("remove", "kube", "--take-down", "--yes").err


def test_a_cluster_is_set_up_and_taken_down_with_its_backend(backend, config, tmp_path, monkeypatch):
    from tests.unit.kind.fake_kind import FakeKind
    from tests.unit.kube.fake_api import FakeApi

    fake, kind = FakeApi(), FakeKind(tmp_path)
    kind.write()
    monkeypatch.setenv("PATH", str(tmp_path))
    named = {"name": "kind-lab"}
    parts = {"clusters": [named | {"cluster": {"server": fake.address}}], "users": [named | {"user": {}}],
             "contexts": [named | {"context": {"cluster": "kind-lab", "user": "kind-lab"}}]}  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(parts | {"current-context": "kind-lab", "kind": "Config"}))
    sets = [f"kubeconfig={tmp_path / 'kubeconfig'}", "cluster=lab", "workers=1", "share=0.5"]
    done = backend("add", "kind", *[word for each in sets for word in ("--set", each)], "--yes")

    assert done.status == 0, done
    assert kind.clusters == ["lab"]
    assert tomllib.loads(config.read_text())["backends"]["kind"]["kind"] == {
        "kubeconfig": str(tmp_path / "kubeconfig"),
        "cluster": "lab",
        "share": 0.5,
    }
    assert "workers" not in config.read_text()
    assert backend("remove", "kind", "--take-down", "--yes").status == 0
    assert kind.clusters == []
    fake.close()
