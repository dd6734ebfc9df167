"""Starting and what can stand in the way: each is said in three lines with a next step, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

import pytest

from tests.fix_install import BIN, CONFIG, Install

pytestmark = pytest.mark.sandbox


def refused(install, *words):
    done = install.cli(*words, ok=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode not in (0, 130)
    assert 1 <= len(said) <= 3, said
    return "\n".join(said)


def test_two_of_them_on_one_folder(install):
    assert "up in" in refused(install, "up", "--detach")
    assert install.cli("avail").returncode == 0


def test_no_server(unstarted):
    assert "gpudev up" in refused(unstarted, "avail")


def test_down_when_it_is_not_up(unstarted):
    assert "not up" in refused(unstarted, "down")


def test_a_configuration_that_is_not_toml(unstarted):
    (unstarted.data / "config.toml").write_text("gateway = ")
    assert "config.toml" in refused(unstarted, "up", "--detach")


def test_a_key_that_nobody_knows(unstarted):
    (unstarted.data / "config.toml").write_text("gatway = 'x'\n")
    assert "gatway" in refused(unstarted, "up", "--detach")


def test_a_backend_whose_plugin_is_not_installed(unstarted):
    (unstarted.data / "config.toml").write_text("[backends.far]\ncompute = 'mars'\nstorage = 'mars'\n")
    assert "pip install gpudev-mars" in refused(unstarted, "up", "--detach")


def test_a_named_policy_that_is_not_there(unstarted):
    (unstarted.data / "config.toml").write_text("plugins = ['nanny']\n" + CONFIG)
    assert "nanny" in refused(unstarted, "up", "--detach")


def test_a_port_that_is_taken(unstarted):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (unstarted.data / "config.toml").write_text(CONFIG.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        assert str(port) in refused(unstarted, "up", "--detach")


def test_a_database_folder_that_was_emptied(own_install):
    own_install.cli("down")
    for path in (own_install.data / "postgres").rglob("PG_VERSION"):
        if path.parent.name != "base":
            shutil.rmtree(path.parent, ignore_errors=True)
            path.parent.mkdir(exist_ok=True, parents=True)
            break
    refused(own_install, "up", "--detach")


def test_a_database_of_another_major(own_install):
    own_install.cli("down")
    version = min((own_install.data / "postgres").rglob("PG_VERSION"), key=lambda path: len(path.parts))
    version.write_text("15\n")
    assert "15" in refused(own_install, "up", "--detach")


def test_a_disks_folder_that_is_not_there_any_more_never_becomes_an_empty_disk(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.ssh("work", "echo precious > ~/notes; sync")
    own_install.cli("cancel", "work", "--wait")
    markers = list((own_install.data / "backends").rglob("marker.json"))
    disks = min((path.parent for path in markers), key=lambda path: len(path.parts))
    aside = own_install.root / "unmounted"
    disks.rename(aside)
    disks.mkdir(mode=0o700)

    failed = own_install.cli("reserve", "cpu", "1h", "--disk", "work", "--max-wait", "20s", ok=False, timeout=90)
    assert failed.returncode != 0
    own_install.cli("cancel", "--all", "--yes", "--wait", ok=False)
    shutil.rmtree(disks)
    aside.rename(disks)
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    assert own_install.ssh("work", "cat ~/notes").stdout == "precious\n"


def test_a_data_folder_that_cannot_be_written(unstarted):
    if os.geteuid() == 0:
        # Root may write everywhere but where a mount says no.
        bound = f"mount --bind {unstarted.data} {unstarted.data} && mount -o remount,bind,ro {unstarted.data}"
        command = ["unshare", "--mount", "sh", "-c", f"{bound} && exec {BIN}/gpudev up --detach"]
        done = subprocess.run(command, env=unstarted.environment, capture_output=True, text=True, check=False)
    else:
        unstarted.data.chmod(0o500)
        done = unstarted.cli("up", "--detach", ok=False)
        unstarted.data.chmod(0o700)
    assert done.returncode != 0
    assert "--data" in done.stdout + done.stderr
    assert [path.name for path in unstarted.data.iterdir()] == ["config.toml"]


def test_a_data_folder_that_is_not_mounted_while_boxes_of_it_run(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.ssh("work", "echo precious > ~/notes; sync")
    own_install.cli("down")
    aside = own_install.root / "unmounted"
    own_install.data.rename(aside)
    own_install.data.mkdir(mode=0o700)
    (own_install.data / "config.toml").write_text(CONFIG)
    assert "mounted" in refused(own_install, "up", "--detach")
    assert [path.name for path in own_install.data.iterdir()] == ["config.toml"]

    shutil.rmtree(own_install.data)
    aside.rename(own_install.data)
    own_install.up()
    assert own_install.ssh("work", "cat ~/notes").stdout == "precious\n"


class Deep(Install):
    """An install whose folder has a path that no Unix socket holds."""

    @property
    def data(self):
        return self.root / ("d" * 60) / ("e" * 60)


def test_a_folder_at_a_very_long_path(unstarted):
    deep = Deep(unstarted.root)
    deep.data.mkdir(parents=True, mode=0o700)
    shutil.copy(unstarted.data / "config.toml", deep.data / "config.toml")
    deep.up()
    deep.cli("reserve", "cpu", "1h", "--no-disk", "--name", "deep")
    assert deep.ssh("deep", "echo in").stdout == "in\n"
    deep.cli("cancel", "--all", "--yes", "--wait")
    deep.cli("down")
