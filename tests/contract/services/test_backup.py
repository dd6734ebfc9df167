"""A backup that is taken while people work, put back into another server by the commands of docs/operate/backup.md."""

from __future__ import annotations

import json
import pathlib
import threading

import psycopg
import pytest

from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded import Embedded
from gpudev_services.cluster import migrating
from gpudev_services.cluster.parts import read
from tests.contract.services import pages
from tests.contract.services.apart import Person, with_password
from tests.fix_database import KILLABLE

pytestmark = [pytest.mark.sandbox]


def living(apart):
    """Return the pids of the boxes' first processes that live."""
    pids = [json.loads(path.read_text())["pid"] for path in (apart.root / "scratch").rglob("init.json")]
    return {pid for pid in pids if b"gpudev_sdk.local" in command_of(pid)}


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def serve(apart, name):
    """Start every service with the secrets of now."""
    started = [apart.service(f"{word}-{name}", word).start() for word in ("api", "processor", "gateway")]
    apart.until_ready(*started)
    return started


def sign_in(apart, api):
    person = Person(apart.root, "kim")
    if not person.key.exists():
        person.make_key()
        assert apart.run("admin-user", "kim", "--key", f"{person.key}.pub").returncode == 0
    person.cli("login", apart.address(api), "--key", str(person.key))
    return person


def move(apart, embedded):
    """Have the install's secrets name another server."""
    for name, role in (("owner-dsn", roles.OWNER), ("api-dsn", roles.API), ("engine-dsn", roles.ENGINE)):
        apart.secrets[name] = with_password(embedded, role).encode()


@pytest.fixture(scope="module")
def elsewhere(apart):
    """Another server, with an empty database."""
    made = Embedded(apart.root / "pg-new", settings=KILLABLE, ballast_bytes=1024)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def put_back(apart, elsewhere):
    """A backup taken while people work, something newer than it, and all of it put back elsewhere; nobody has looked yet."""
    services = serve(apart, "before")
    kim = sign_in(apart, services[0])
    kim.cli("reserve", "cpu", "1h", "--disk", "old")
    kim.ssh("old", "echo old > ~/notes; sync")
    stop, made = threading.Event(), []

    def work():
        while not stop.is_set():
            name = f"busy-{len(made)}"
            kim.cli("reserve", "cpu", "1h", "--no-disk", "--name", name, "--no-wait")
            kim.cli("cancel", name, "--yes")
            made.append(name)

    working = threading.Thread(target=work)
    working.start()
    try:
        pages.run("backup.md", "backup", apart.root, OWNER=apart.dsn)
    finally:
        stop.set()
        working.join(60)
    assert made
    kim.cli("reserve", "cpu", "1h", "--disk", "newer")
    kim.ssh("newer", "echo new > ~/notes; sync")
    for service in services:
        service.end()
    running = living(apart)
    pages.run("backup.md", "restore", apart.root, OWNER=elsewhere.dsn(roles.OWNER))
    move(apart, elsewhere)
    done = apart.run("migrate", "--restored", "first")
    assert done.returncode == 0, done.stderr
    return running, serve(apart, "after"), kim, done.stdout


def oversee(apart, word, *words):
    folder = apart.folder_of("processor")
    return apart.run(word, *words, "--scratch", apart.root / "scratch", secrets=folder)


def test_nothing_is_done_before_somebody_has_looked(apart, put_back):
    running, _, _, said = put_back
    looked = oversee(apart, "doctor")

    assert "every backend is paused" in said
    assert looked.returncode == 1
    assert "paused: local: the database was put back from a backup" in looked.stdout
    assert len(running) == 2
    assert living(apart) == running


def test_tokens_of_before_are_void(apart, put_back):
    _, services, kim, _ = put_back

    assert apart.get(services[0], "/v1/me", kim.token)[0] == 401


def test_a_box_that_is_in_both_is_reached_all_the_while(apart, put_back):
    kim = sign_in(apart, put_back[1][0])

    assert kim.state("old") == "active"
    assert kim.ssh("old", "cat ~/notes").stdout == "old\n"


def test_a_list_that_nobody_saw_is_not_agreed_to(apart, put_back):
    refused = oversee(apart, "adopt", "local", "--seen", "0" * 32)

    assert refused.returncode != 0
    assert "things changed since they were listed" in refused.stderr


def test_once_adopted_all_is_served_and_the_newer_box_goes_on(apart, elsewhere, put_back):
    running, services, _, _ = put_back
    listed = oversee(apart, "adopt", "local")
    assert listed.returncode == 1
    assert "never heard of it" in listed.stdout
    seen = listed.stdout.split("--seen ")[1].split()[0]

    assert oversee(apart, "adopt", "local", "--seen", seen).returncode == 0

    kim = sign_in(apart, services[0])
    kim.cli("reserve", "cpu", "1h", "--disk", "later")
    assert kim.ssh("later", "echo in").stdout == "in\n"
    assert kim.ssh("old", "cat ~/notes").stdout == "old\n"
    assert running <= living(apart)
    assert "newer" not in kim.cli("list").stdout
    looked = oversee(apart, "doctor")
    assert "paused" not in looked.stdout
    assert "I-8" in looked.stdout


def test_every_right_is_as_after_a_first_migration(apart, elsewhere, put_back):
    grants = "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee LIKE 'gpudev%'"
    kept = {}
    for name, embedded in (("before", apart.embedded), ("after", elsewhere)):
        with psycopg.connect(embedded.dsn(roles.OWNER)) as conn:
            kept[name] = set(conn.execute(grants).fetchall())

    assert kept["after"] == kept["before"]
    assert kept["after"]


def test_the_same_word_again_pauses_nothing(apart, put_back):
    again = apart.run("migrate", "--restored", "first")

    assert again.returncode == 0, again.stderr
    assert "paused" not in again.stdout
    assert "paused" not in oversee(apart, "doctor").stdout


def test_all_is_paused_before_any_service_has_its_rights_again(apart, elsewhere, put_back, monkeypatch):
    found = []

    def apply(dsn):
        with psycopg.connect(dsn) as conn:
            found.extend(conn.execute("SELECT backend, paused FROM backend_claim").fetchall())
        raise InterruptedError

    monkeypatch.setattr(migrating, "apply", apply)
    with pytest.raises(InterruptedError):
        migrating.migrate(read(apart.config, apart.folder_of("migrate")), 0, "third")

    assert found == [("local", "the database was put back from a backup")]


def test_a_database_into_which_nothing_was_put_back_is_refused(apart, elsewhere):
    with psycopg.connect(elsewhere.dsn("postgres", "postgres"), autocommit=True) as conn:
        conn.execute("CREATE DATABASE nothing OWNER gpudev_owner")
    names = {
        f"{one}-dsn": with_password(elsewhere, f"gpudev_{one}", "nothing").encode()
        for one in ("owner", "api", "engine")
    }

    done = apart.run("migrate", "--restored", "second", secrets=apart.folder_of("migrate", **names))

    assert done.returncode == 1
    assert "the database is empty" in done.stderr
