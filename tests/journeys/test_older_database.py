"""A database put back from thirty seconds of life ago: nothing is lost, nobody is let in, and somebody has to look first."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess

import attrs
import pytest

from tests.fix_install import CONFIG, prepare, until
from tests.journeys.test_shared_machine import Person
from tests.journeys.watching import boxes_of, claim_of, stored

pytestmark = pytest.mark.sandbox

WIDE = CONFIG.replace("processors = 2", 'processors = 2\nlisten = "127.0.0.1:{port}"\nname = "lab"')
BEAT = "nohup sh -c 'while :; do date +%s%N > /tmp/beat; sleep 0.2; done' >/dev/null 2>&1 &"


@attrs.define
class Cold:
    """A copy of the database's folder, made and put back while everything is down."""

    install: object

    def take(self):
        self.install.cli("down")
        subprocess.run(["cp", "-a", self.install.data / "postgres", self.install.root / "kept"], check=True)
        self.install.up()

    def put_back(self):
        shutil.rmtree(self.install.data / "postgres")
        (self.install.root / "kept").rename(self.install.data / "postgres")


@attrs.define
class Dump:
    """What `admin backup` and `admin restore` do."""

    install: object

    def take(self):
        self.install.cli("admin", "backup", str(self.install.root / "kept.dump"))

    def put_back(self):
        self.install.cli("admin", "restore", str(self.install.root / "kept.dump"))


@attrs.define
class People:
    """One person's sign-ins: each a client folder with a token of its own."""

    install: object
    address: str
    key: Person = None

    def sign_in(self, name):
        person = Person(self.install.root, name, self.address)
        shutil.copy(self.key.key, person.key)
        person.cli("login", self.address, "--key", str(person.key))
        return person

    def copy_of(self, person, name):
        shutil.copytree(
            person.root / person.client, person.root / name, symlinks=True, ignore=shutil.ignore_patterns("c")
        )
        return Person(person.root, name, self.address)


@pytest.fixture
def lab():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = prepare(WIDE.replace("{port}", str(port)))
    address = re.search(r"gpudev login (https://\S+)", made.up().stdout)[1]
    first = Person(made.root, "kim", address)
    first.make_key()
    made.cli("admin", "users", "add", "kim", "--key", f"{first.key}.pub")
    yield made, People(made, address, first)
    # A test that failed while paused: only who acts again can end what it left.
    shown = made.cli("admin", "adopt", "local", "--json", ok=False)
    if shown.returncode == 0:
        made.cli("admin", "adopt", "local", "--seen", json.loads(shown.stdout)["seen"], ok=False)
    made.close()


def life_before(install):
    for name in ("stays", "ends"):
        install.cli("reserve", "cpu", "1h", "--disk", name)
        install.ssh(name, f"echo {name} before > ~/marker; sync")
    install.ssh("stays", BEAT)


def life_after(install):
    install.ssh("stays", "echo stays after >> ~/marker; sync")
    install.ssh("ends", "echo ends after >> ~/marker; sync")
    install.cli("reserve", "cpu", "1h", "--disk", "begins")
    install.ssh("begins", f"echo begins after > ~/marker; sync; {BEAT}")
    install.cli("cancel", "ends", "--wait")
    install.cli("extend", "stays", "1h")
    install.cli("disk", "create", "made")


def names_outside(install):
    """Return the ids of what lies and runs on the machine: boxes, volumes, snapshots."""
    place = install.data / "backends" / "local"
    boxes = {path.name for path in place.glob("boxes/*/gd-*")}
    return boxes, *({path.name for path in (place / "disks" / kind).iterdir()} for kind in ("volumes", "snapshots"))


def expected(install, begun):
    """Return what an adoption has to list, from the folders of the machine and the tables of the older database."""
    boxes, volumes, snapshots = names_outside(install)
    rows = install.sql(
        "SELECT id::text, attempt FROM reservation WHERE state IN ('active', 'stopping') AND gone_at IS NULL"
    )
    active = {f"gd-{row}-{attempt}" for row, attempt in rows}
    known = {kind: {row for (row,) in install.sql(f"SELECT id::text FROM {kind}")} for kind in ("volume", "snapshot")}
    assert [begun in box for box in boxes - active] == [True]
    assert len(active - boxes) == 1
    assert volumes - known["volume"]
    assert snapshots - known["snapshot"]
    return (boxes ^ active) | (volumes ^ known["volume"]) | (snapshots - known["snapshot"])


def beats(install, name):
    seen = install.ssh(name, "cat /tmp/beat").stdout
    until(lambda: install.ssh(name, "cat /tmp/beat").stdout not in ("", seen))


@pytest.mark.parametrize("way", [Cold, Dump])
def test_an_older_database_harms_nothing_until_somebody_has_looked(lab, way):
    install, people = lab
    life_before(install)
    early, gone = people.sign_in("early"), people.sign_in("gone")
    kept = way(install)
    kept.take()
    life_after(install)
    begun = install.json("show", "begins")["id"]
    late, ghost = people.sign_in("late"), people.copy_of(gone, "ghost")
    gone.cli("logout")
    assert [person.cli("list", ok=False).returncode for person in (early, late, ghost)] == [0, 0, 4]
    boxes, disks, outside = boxes_of(install), stored(install), names_outside(install)
    install.cli("down")
    kept.put_back()

    assert "PAUSED" in install.up().stdout
    claim = claim_of(install)
    assert [person.cli("list", ok=False).returncode for person in (early, late, ghost)] == [4, 4, 4]
    beats(install, "stays")
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "waits", "--no-wait")
    until(lambda: install.sql("SELECT planned >= wanted FROM planner") == [(True,)])
    doctor = install.cli("admin", "doctor", ok=False)
    assert doctor.returncode == 1
    assert "gpudev admin adopt local" in doctor.stdout + doctor.stderr

    shown = install.json("admin", "adopt", "local")
    whats = [difference["what"] for difference in shown["differences"]]
    wanted = expected(install, begun)
    assert all(sum(name in what for what in whats) == 1 for name in wanted), (wanted, whats)
    assert len(whats) == len(wanted)
    assert install.json("admin", "adopt", "local") == shown
    assert install.state("waits") == "queued"
    assert install.cli("admin", "adopt", "local", "--seen", "0" * 32, ok=False).returncode == 1
    assert (boxes_of(install), stored(install), names_outside(install)) == (boxes, disks, outside)
    assert claim_of(install) == claim
    after_adopting(install, shown["seen"], begun, boxes, disks)
    assert [person.cli("list", ok=False).returncode for person in (early, late, ghost)] == [4, 4, 4]
    assert people.sign_in("again").cli("list").returncode == 0


def after_adopting(install, seen, begun, boxes, disks):
    """What is known goes on, what is unknown is reported and left alone, and every marker is there."""
    install.cli("admin", "adopt", "local", "--seen", seen)
    until(lambda: install.state("waits") == "active")
    install.cli("down")
    assert "PAUSED" not in install.up().stdout
    log = install.data / "log" / "gpudev.log"
    until(lambda: "server of unknown owner" in log.read_text())
    assert begun in install.cli("admin", "doctor", ok=False).stdout
    assert boxes <= boxes_of(install)
    beats(install, "stays")
    assert install.ssh("stays", "cat ~/marker").stdout == "stays before\nstays after\n"
    until(lambda: install.state("ends") == "ended")
    assert install.json("show", "ends")["end_reason"] == "failed"
    install.cli("reserve", "cpu", "1h", "--disk", "ends")
    assert install.ssh("ends", "cat ~/marker").stdout == "ends before\nends after\n"
    markers = {path: digest for path, digest in disks.items() if path.endswith("/marker")}
    assert len(markers) >= 3
    assert markers.items() <= stored(install).items()
