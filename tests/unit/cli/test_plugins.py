"""`gpudev plugins`: what is installed and sound, and the beginning of a new one."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
import sys
import textwrap

import pytest

from gpudev_cli import services as handing_on
from gpudev_sdk import plugins
from gpudev_services.main import main as services

PROVIDERS = """
    import attrs
    from gpudev_sdk.providers import Storage
    @attrs.frozen
    class Settings: ...
    class Whole(Storage):
        Settings = Settings
    Whole.__abstractmethods__ = frozenset()
"""
HOOK = """
    from gpudev_sdk import hookimpl
    @hookimpl
    def gpudev_register_{kind}():
        from {module} import Whole
        return Whole
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a plugin whose storage class is made by some source."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def write(name, source, kind="storage"):
        module = f"silver_{name}_{tmp_path.name}".replace("-", "_")
        made.append(module)
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").touch()
        (tmp_path / module / "plugin.py").write_text(
            textwrap.dedent(HOOK.format(kind=kind, module=f"{module}.storage"))
        )
        (tmp_path / module / "storage.py").write_text(textwrap.dedent(source))
        metadata = tmp_path / f"gpudev_{name}-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: gpudev-{name}\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text(f"[gpudev]\n{name} = {module}.plugin\n")

    yield write
    for module in [module for module in sys.modules if module.startswith(tuple(made or ["\0"]))]:
        del sys.modules[module]


@pytest.fixture
def passed_on(monkeypatch):
    """Return the words with which this process would become another."""

    class Became(Exception):
        """It would be another now."""

    def become(program, words):
        raise Became(words)

    monkeypatch.setattr(handing_on.os, "execv", become)
    return Became


def test_a_sound_plugin_says_what_it_offers_and_can_do(gpudev):
    done = gpudev("plugins", "check", "kind")

    assert done.out == "kind: sound; offers compute, storage, identity; can do Gang, Installable\n"


def test_the_list_says_what_the_loader_says(gpudev):
    told = {item["name"]: item["offers"] for item in json.loads(gpudev("plugins", "list", "--json").out)["items"]}

    assert {"kind", "example", "local", "ssh"} <= set(told)
    assert told == {name: list(plugins.load(name).offers) for name in told}


def test_what_is_installed_is_read_once_however_much_that_is(gpudev, monkeypatch):
    read, count = importlib.metadata.entry_points, []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **words: (count.append(words), read(**words))[1])

    gpudev("plugins", "list")

    assert count == [{"group": "gpudev"}]


def test_json_says_each_apart(gpudev, install):
    install("copper", "raise ValueError('no')")
    done = gpudev("plugins", "check", "--json")
    told = {item["name"]: item for item in json.loads(done.out)["items"]}

    assert done.status == 1
    assert told["kind"]["abilities"] == ["Gang", "Installable"]
    assert told["example"]["sound"] is True
    assert told["copper"]["sound"] is False
    assert "ValueError: no" in told["copper"]["error"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('no luck')", "cannot load its Storage: RuntimeError: no luck"),
        ("class Whole: ...", "which is no Storage"),
        (
            "from gpudev_sdk.providers import Storage\nclass Whole(Storage): ...",
            "Whole lacks __init__, create_snapshot",
        ),
        (PROVIDERS.replace("Settings = Settings", "Settings = dict"), "names no attrs class as its Settings"),
        (PROVIDERS.replace("Settings = Settings", "..."), "names no attrs class as its Settings"),
    ],
)
def test_a_plugin_that_is_not_sound_is_named(gpudev, install, source, said):
    install("copper", source)
    done = gpudev("plugins", "check", "copper")

    assert done.status == 1
    assert "'copper' of gpudev-copper 1" in done.err
    assert said in done.err


def test_a_library_that_is_not_installed_here_is_no_fault_of_the_plugin(gpudev, install):
    install("copper", "import a_cloud_that_is_not_here.api")
    done = gpudev("plugins", "check", "copper")

    assert (done.status, done.out) == (0, "copper: sound; offers storage\n")
    assert "need a_cloud_that_is_not_here" in done.err


def test_nor_is_what_a_plugin_itself_says_that_it_needs(gpudev, install):
    lacking = (
        "from gpudev_sdk.errors import MissingAbility\nraise MissingAbility('it needs an oven', hint='Install one.')"
    )
    install("copper", lacking)
    done = gpudev("plugins", "check", "copper")

    assert (done.status, done.out) == (0, "copper: sound; offers storage\n")
    assert done.err == "copper: it needs an oven. Install one.\n"


def test_a_module_of_its_own_that_is_missing_is_its_fault(gpudev, install, tmp_path):
    install("copper", f"import silver_copper_{tmp_path.name.replace('-', '_')}.lost")

    assert gpudev("plugins", "check", "copper").status == 1


def test_a_live_backend_is_handed_on_with_what_was_given(gpudev, passed_on):
    with pytest.raises(passed_on) as became:
        gpudev("plugins", "check", "kind", "--backend", "lab", "--config", "c.toml", "--json")

    (words,) = became.value.args
    assert words == [
        sys.executable, "-m", "gpudev_services.backends.check", "--backend=lab", "--config=c.toml", "--json", "--", "kind",
    ]  # fmt: skip


def test_a_client_without_the_services_is_told_what_to_install(gpudev, monkeypatch, passed_on):
    monkeypatch.setattr(handing_on.importlib.util, "find_spec", lambda name: None)
    done = gpudev("plugins", "check", "kind", "--backend", "lab")

    assert done.status == 1
    assert done.err.splitlines()[-1] == "Install it: pip install gpudev-services"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nope", "--backend", "lab"], 1, "no installed plugin is called 'nope'"),
        (["kind", "local", "--backend", "lab"], 2, "one backend is checked at a time"),
        (["kind", "--config", "c.toml"], 2, "--config and --data are of a backend"),
        (["kind", "--backend", "a\0b"], 1, "an argument holds a NUL"),
    ],
)
def test_what_cannot_be_checked_is_refused(gpudev, passed_on, words, status, said):
    done = gpudev("plugins", "check", *words)

    assert (done.status, done.out) == (status, "")
    assert said in done.err


def test_a_backend_of_a_plugin_that_keeps_no_disks_asks_what_does(install, tmp_path, capsys):
    install("copper", "from gpudev_example.providers import ExampleCompute as Whole", kind="compute")
    status = services(["backend", "add", "copper", "--yes", "--data", str(tmp_path / "data")])

    assert status == 1
    assert "copper keeps no disks\n  Say what does: --storage" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_new_plugin_lies_here_and_says_what_is_next(gpudev, here):
    done = gpudev("plugins", "new", "lab")

    assert done.status == 0, done
    assert [path.name for path in here.iterdir()] == ["gpudev-lab"]
    assert [line.strip() for line in done.out.splitlines()[1:]] == [
        "pip install -e gpudev-lab",
        "pytest gpudev-lab",
        "gpudev plugins check lab",
    ]


def test_it_lies_where_one_says(gpudev, here):
    (here / "there").mkdir()
    done = gpudev("plugins", "new", "lab", "--dir", "there", "--offers", "identity")

    assert "pip install -e there/gpudev-lab" in done.out
    assert (here / "there" / "gpudev-lab" / "src" / "gpudev_lab" / "identity.py").exists()
    assert not (here / "there" / "gpudev-lab" / "src" / "gpudev_lab" / "compute.py").exists()


def test_what_its_tests_need_is_said_where_it_is_missing(gpudev, here, monkeypatch):
    monkeypatch.setattr(handing_on.importlib.util, "find_spec", lambda name: None)

    assert "pip install pytest" in gpudev("plugins", "new", "lab").err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["Lab"], 2, "'Lab' cannot name a plugin"),
        (["../lab"], 2, "cannot name a plugin"),
        (["my_lab"], 2, "cannot name a plugin"),
        (["x" * 41], 2, "cannot name a plugin"),
        (["3d"], 2, "it begins with a digit"),
        (["all"], 2, "'all' is reserved"),
        (["sdk"], 2, "'sdk' is reserved"),
        (["storage"], 2, "'storage' is reserved"),
        (["kind"], 1, "a plugin 'kind' is installed: it is of gpudev-kind"),
        (["local"], 1, "a plugin 'local' is installed: it is of gpudev-sdk"),
        (["lab", "--offers", "compute,sleep"], 2, "cannot offer 'sleep'"),
        (["lab", "--offers", ""], 2, "cannot offer ''"),
        (["lab", "--dir", "nowhere"], 2, "nowhere"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(gpudev, here, words, status, said):
    done = gpudev("plugins", "new", *words)

    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert list(here.iterdir()) == []


def test_nothing_is_overwritten(gpudev, here):
    mine = here / "gpudev-lab" / "README.md"
    mine.parent.mkdir()
    mine.write_text("mine")
    done = gpudev("plugins", "new", "lab")

    assert done.status == 1
    assert "is there already" in done.err
    assert mine.read_text() == "mine"
    assert [path.name for path in here.iterdir()] == ["gpudev-lab"]


@pytest.mark.parametrize("what", ["a file", "a link to nowhere"])
def test_nor_is_what_is_no_folder(gpudev, here, what):
    target = here / "gpudev-lab"
    target.write_text("mine") if what == "a file" else target.symlink_to(here / "nowhere")

    assert gpudev("plugins", "new", "lab").status == 1
    assert os.path.lexists(target)
    assert not target.is_dir()


def test_an_empty_folder_of_that_name_is_used(gpudev, here):
    (here / "gpudev-lab").mkdir()

    assert gpudev("plugins", "new", "lab").status == 0
    assert (here / "gpudev-lab" / "pyproject.toml").exists()


def test_where_nobody_may_write_it_says_so(gpudev):
    done = gpudev("plugins", "new", "lab", "--dir", "/proc")

    assert done.status == 4
    assert "nothing can be made in /proc" in done.err


def test_a_disk_that_fills_up_leaves_nothing(gpudev, here, monkeypatch):
    whole, count = pathlib.Path.write_text, []

    def full(self, *arguments, **more):
        count.append(self)
        if len(count) == 5:
            raise OSError(28, "No space left on device")
        return whole(self, *arguments, **more)

    monkeypatch.setattr(pathlib.Path, "write_text", full)
    done = gpudev("plugins", "new", "lab")

    assert done.status == 4
    assert "No space left on device" in done.err
    assert list(here.iterdir()) == []
