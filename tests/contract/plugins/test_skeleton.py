"""`gpudev plugins new`: what it makes is installed as a stranger would, and keeps the whole contract as it is."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import sysconfig
import venv
import zipfile

import attrs
import pytest

NAME = "corner-lab"


@attrs.frozen
class Bench:
    """A folder with a skeleton in it, and a throw-away environment where that is installed."""

    folder: pathlib.Path
    python: pathlib.Path
    said: str

    def run(self, *words):
        """Run something in the environment, in the folder."""
        return _run(self.python, *words, cwd=self.folder)


def _run(python, *words, cwd):
    # The scripts beside our Python hold the build backend's program, as an isolated build would bring it.
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(cwd), "LANG": "C.UTF-8", "PIP_NO_CACHE_DIR": "1"}
    return subprocess.run([python, *words], capture_output=True, text=True, cwd=cwd, env=env, check=False, timeout=300)


def _environment(folder):
    """Make an environment that sees all that is installed beside us, and return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    own = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = [f"import site; site.addsitedir({path!r})" for path in sorted(ours)]
    pathlib.Path(own, "beside.pth").write_text("\n".join(lines) + "\n")
    return python


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    made = _run(sys.executable, "-m", "gpudev_cli", "plugins", "new", NAME, cwd=folder)
    assert made.returncode == 0, made.stderr
    python = _environment(folder / "environment")
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "-e"]
    done = _run(sys.executable, "-m", "pip", "--python", str(python), *install, f"gpudev-{NAME}", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return Bench(folder, python, made.stdout)


def test_it_says_the_next_three_commands(bench):
    assert [line.strip() for line in bench.said.splitlines()[1:]] == [
        f"pip install -e gpudev-{NAME}",
        f"pytest gpudev-{NAME}",
        f"gpudev plugins check {NAME}",
    ]


def test_its_own_tests_pass_and_only_gangs_are_not_tried(bench):
    done = bench.run("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", f"gpudev-{NAME}")

    assert done.returncode == 0, done.stdout + done.stderr
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all("missing ability: Gang" in line for line in skipped)
    assert int(done.stdout.splitlines()[-1].split()[0]) >= 60


def test_it_is_sound_and_offers_everything(bench):
    done = bench.run("-m", "gpudev_cli", "plugins", "check", NAME)

    assert (done.returncode, done.stdout) == (0, f"{NAME}: sound; offers compute, storage, identity\n"), done.stderr


def test_a_backend_of_it_keeps_the_laws_that_only_read(bench):
    (bench.folder / "server.toml").write_text(f"[backends.b]\ncompute = '{NAME}'\nstorage = '{NAME}'\n")

    done = bench.run(
        "-m", "gpudev_cli", "plugins", "check", NAME, "--backend", "b", "--config", "server.toml", "--data", "none"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert " kept " in done.stdout
    assert "broken" not in done.stdout
    assert "not tried" not in done.stdout


def test_what_is_only_a_stand_in_says_so(bench):
    source = bench.folder / f"gpudev-{NAME}" / "src" / "gpudev_corner_lab"

    told = {path.name for path in source.glob("*.py") if "STAND-IN" in path.read_text()}

    assert told == {"compute.py", "storage.py", "identity.py", "settings.py", "errors.py"}


def test_the_templates_are_in_the_wheel(tmp_path):
    root = pathlib.Path(__file__).parents[3]
    folder = root / "apps" / "cli" / "src" / "gpudev_cli" / "kit" / "skeleton"
    wheel = ["-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]

    done = _run(sys.executable, *wheel, "--wheel-dir", str(tmp_path), str(root / "apps" / "cli"), cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as built:
        packed = {name for name in built.namelist() if name.startswith("gpudev_cli/kit/skeleton/") and name[-1] != "/"}
    assert packed == {f"gpudev_cli/kit/skeleton/{path.name}" for path in folder.iterdir()}


@pytest.mark.parametrize("offers", ["compute", "storage", "identity", "compute,identity"])
def test_part_of_it_is_whole_too(tmp_path, offers):
    made = _run(sys.executable, "-m", "gpudev_cli", "plugins", "new", "part", "--offers", offers, cwd=tmp_path)
    assert made.returncode == 0, made.stderr

    names = {path.name for path in tmp_path.rglob("gpudev_part/*.py")}
    done = _run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=src", "-k", "not TestPlugin",
        "gpudev-part", cwd=tmp_path,
    )  # fmt: skip

    assert names == {
        "__init__.py",
        "plugin.py",
        "settings.py",
        "errors.py",
        *(f"{offer}.py" for offer in offers.split(",")),
    }
    assert done.returncode == 0, done.stdout + done.stderr
