"""The services run in the image as it ships, whatever was left out of it: by its user, over a real database."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.contract.services.apart import CONFIG, make

USER = 10001
#: A mount namespace of its own: nothing stays mounted. $0 is the root, $1 the install's folder; the rest is the command.
ENTER = (
    'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && mkdir -p "$0$1" && mount --rbind "$1" "$0$1" '
    f'&& exec chroot --userspec={USER}:{USER} "$0" "${{@:2}}"'
)
ENVIRONMENT = {"PATH": "/opt/gpudev/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
#: Every help there is, in one process, and every compiled library that lies there.
HELPS = """
import click, contextlib, io
from click.testing import CliRunner
from gpudev_cli.main import cli
from gpudev_services import main

def walk(command, words):
    done = CliRunner().invoke(cli, [*words, "--help"])
    assert done.exit_code == 0 and "Usage:" in done.output, (words, done.output)
    told.append(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            walk(command.get_command(context, name), [*words, name])

told = []
walk(cli, [])
for action in main._parser()._subparsers._group_actions:
    for name in action.choices:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            main.main([name, "--help"])
        assert said.getvalue().startswith("usage:"), name
        told.append([name])
print(len(told))
"""
LIBRARIES = """
import ctypes, pathlib, psycopg, yaml
found = [str(path) for path in pathlib.Path("/opt/gpudev").rglob("*.so*")]
for path in found:
    ctypes.CDLL(path)
assert psycopg.pq.__impl__ == "binary" and yaml.__with_libyaml__
print(len(found))
"""


def entering(root, folder, *command) -> list[str]:
    """Return the command that runs another in the image, where it sees that folder of ours."""
    words = ("unshare", "--mount", "--propagation", "private", "bash", "-c", ENTER, root, folder, *command)
    return [str(word) for word in words]


@pytest.fixture(scope="module")
def install(services):
    """An install of separate processes whose services are those of the image."""
    made = make()
    made.config.write_text(CONFIG.partition("[backends.local]")[0].format(gateway=made.gateway_port))
    for folder in (made.root, made.root / "pg", made.root / "pg" / "run"):
        folder.chmod(0o711)
    for socket in (made.root / "pg" / "run").glob(".s.PGSQL.*[0-9]"):
        socket.chmod(0o777)
    (made.root / "scratch").mkdir()
    os.chown(made.root / "scratch", USER, USER)
    yield made
    made.close()


def run(root, folder, *command) -> subprocess.CompletedProcess[str]:
    words = entering(root, folder, *command)
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False)


def given(install, word):
    """Return the folder of a service's secrets, which its user owns."""
    folder = install.folder_of(word)
    subprocess.run(["chown", "--recursive", f"{USER}:{USER}", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def migrated(services, install):
    done = run(
        services, install.root, "gpudev-services", "migrate", "--config", install.config,
        "--secrets", given(install, "migrate"), "--wait", "30",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return install


@pytest.mark.parametrize("word", ["api", "gateway", "processor"])
def test_a_service_of_the_image_is_ready_over_a_database_that_the_image_migrated(services, migrated, word):
    made = migrated.service(word, word, secrets=given(migrated, word))
    made.command = entering(services, migrated.root, "gpudev-services", word, *made.command[4:])
    made.environment = ENVIRONMENT
    made.start()

    migrated.until_ready(made)

    assert made.end() == 0, made.said


@pytest.mark.parametrize("text", [HELPS, LIBRARIES], ids=["every help", "every library"])
def test_nothing_that_was_left_out_is_missed_by(services, install, text):
    done = run(services, install.root, "python", "-c", text)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
