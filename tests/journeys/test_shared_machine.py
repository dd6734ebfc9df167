"""A lab shares one machine: people come over TLS with their own keys, and only to their own boxes."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import attrs
import pytest

from tests.fix_install import CONFIG, Install, prepare, until

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(os.geteuid() != 0, reason="several people share a machine only where root started gpudev"),
]


@attrs.define
class Person(Install):
    """Somebody on another machine: with a client of their own, and no data folder."""

    login: str = ""

    @property
    def environment(self):
        return {name: value for name, value in super().environment.items() if name != "GPUDEV_DATA"}

    @property
    def key(self):
        return self.root / f"{self.client}-key"

    def make_key(self):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True, stdin=subprocess.DEVNULL
        )

    def ssh_command(self, name, *command):
        inside = super().ssh_command(name, *command)
        return [*inside[:1], "-i", str(self.key), *inside[1:]]


@pytest.fixture(scope="module")
def lab():
    made = prepare(CONFIG.replace("processors = 2", 'processors = 2\nlisten = "127.0.0.1:0"\nname = "lab"'))
    said = made.up().stdout
    line = re.search(r"gpudev login (https://\S+)", said)
    assert line, said
    yield made, line[1]
    made.close()


def newcomer(lab, name):
    install, address = lab
    person = Person(install.root, name, address)
    person.make_key()
    install.cli("admin", "users", "add", name, "--key", f"{person.key}.pub")
    person.cli("login", address, "--key", str(person.key))
    return person


@pytest.fixture(scope="module")
def kim(lab):
    return newcomer(lab, "kim")


@pytest.fixture(scope="module")
def lee(lab):
    return newcomer(lab, "lee")


def test_each_has_a_host_user_of_their_own(lab, kim, lee):
    for person in (kim, lee):
        person.cli("reserve", "cpu", "1h", "--disk", "work")
    uids = {person.ssh("work", "id -u").stdout for person in (kim, lee)}
    assert len(uids) == 2
    assert not any(uid.startswith("0") for uid in uids)


def test_nobody_gets_into_anothers_box(kim, lee):
    assert kim.ssh("work", "true").returncode == 0
    assert lee.ssh("work.kim", "true", ok=False).returncode == 255


def test_anothers_reservation_and_disk_look_absent(lab, kim, lee):
    theirs = kim.json("show", "work")["id"]
    assert lee.cli("show", theirs, ok=False).returncode == 3
    assert lee.cli("cancel", theirs, "--yes", ok=False).returncode == 3
    kim.cli("disk", "create", "private")
    assert lee.cli("disk", "delete", "private", "--yes", ok=False).returncode == 3


def test_admin_commands_are_for_the_owner_of_the_machine(lab, kim):
    refused = kim.cli("admin", "users", "list", ok=False)
    assert refused.returncode == 4
    assert "kim" in lab[0].cli("admin", "users", "list").stdout


def test_one_box_cannot_read_anothers_disk_or_what_is_gpudevs(lab, kim, lee):
    install = lab[0]
    kim.ssh("work", "echo secret > ~/secret; chmod 644 ~/secret")
    for path in (install.data, pathlib.Path("/root"), pathlib.Path("/var/lib")):
        assert lee.ssh("work", f"ls {path}/*", ok=False).returncode != 0
    assert lee.ssh("work", "ls /home").stdout == "dev\n"
    assert lee.ssh("work", "grep -rs secret / --include=secret", ok=False, timeout=60).stdout == ""


def test_down_refuses_while_others_have_boxes_and_names_them(lab, kim):
    refused = lab[0].cli("down", ok=False)
    assert refused.returncode == 4
    assert "kim" in refused.stderr
    assert kim.ssh("work", "echo still here").stdout == "still here\n"


def test_a_wrong_pin_is_refused(lab, kim):
    address = lab[1].replace(lab[1][-6:], "000000")
    refused = kim.cli("login", address, "--key", str(kim.key), ok=False)
    assert refused.returncode not in (0, 130)


def test_a_key_that_nobody_enrolled_is_refused(lab):
    stranger = Person(lab[0].root, "stranger", lab[1])
    stranger.make_key()
    assert stranger.cli("login", lab[1], "--key", str(stranger.key), ok=False).returncode == 4


def test_a_token_that_is_logged_out_is_over(lab, kim):
    shutil.copytree(kim.root / "kim", kim.root / "copy", symlinks=True, ignore=shutil.ignore_patterns("c"))
    copy = Person(kim.root, "copy", lab[1])
    assert copy.cli("whoami").returncode == 0
    kim.cli("logout")
    assert copy.cli("whoami", ok=False).returncode == 4
    kim.cli("login", lab[1], "--key", str(kim.key))


def test_shutting_a_person_out_closes_what_is_open_within_five_seconds(lab, lee):
    open_one = subprocess.Popen(
        lee.ssh_command("work", "sleep 60"), env=lee.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: lee.ssh("work", "pgrep sleep || ps", ok=False).returncode == 0)
    lab[0].cli("admin", "users", "disable", "lee")
    assert open_one.wait(5) == 255
    assert lee.ssh("work", "true", ok=False).returncode == 255
    assert lee.cli("list", ok=False).returncode == 4
    lab[0].cli("admin", "users", "enable", "lee")
    assert lee.ssh("work", "true").returncode == 0
