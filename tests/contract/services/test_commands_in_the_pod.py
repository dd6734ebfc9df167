"""What backup.md and rotate.md have run in the pod of PostgreSQL, run as they stand there: on a server of the same kind."""

from __future__ import annotations

import re
import subprocess

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from gpudev_sdk.store.embedded import passwords
from gpudev_sdk.store.embedded.layout import Layout
from gpudev_services.cluster.first_secrets import Wanted, fresh
from tests.contract.services import pages
from tests.contract.services.apart import with_password

NAMES = {"POSTGRES_USER": passwords.SUPERUSER, "POSTGRES_DB": "gpudev"}


@pytest.fixture
def secret(apart):
    """The folder of the owner's password, as it is mounted in the pod."""
    folder = apart.root / "mounted"
    folder.mkdir(exist_ok=True)
    (folder / "owner-password").write_text(passwords.read(Layout(apart.embedded.folder), passwords.SUPERUSER))
    return folder


def inside(apart, secret, script, *, given=None):
    done = pages.run_inside(script, secret, apart.embedded, given=given, **NAMES)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def names(apart):
    with psycopg.connect(apart.embedded.dsn(passwords.SUPERUSER, "template1")) as conn:
        return {row[0] for row in conn.execute("SELECT datname FROM pg_database")}


def kept(apart):
    with psycopg.connect(apart.embedded.dsn(passwords.SUPERUSER)) as conn:
        return conn.execute("SELECT (SELECT id FROM install), (SELECT count(*) FROM schema_migration)").fetchone()


def test_the_charts_database_is_dumped_set_aside_and_put_back(apart, secret):
    (dump, to), (aside, _), (put_back, source) = pages.inside("backup.md")
    before = kept(apart)

    dumped = inside(apart, secret, dump)
    inside(apart, secret, aside)
    assert {"gpudev", "gpudev_before"} <= names(apart)
    inside(apart, secret, put_back, given=dumped)
    # Whoever put it back owns it, as in the chart.
    owner = with_password(apart.embedded, passwords.SUPERUSER).encode()
    done = apart.run("migrate", "--restored", "here", secrets=apart.folder_of("migrate", **{"owner-dsn": owner}))

    assert (to, source) == ("> gpudev.dump", "< gpudev.dump")
    assert kept(apart) == before
    assert done.returncode == 0, done.stderr
    assert "every backend is paused" in done.stdout


def test_the_owners_password_is_changed_by_what_stands_there(apart, secret):
    (script, rest), *_ = pages.inside("rotate.md")
    statement = re.fullmatch(r'<<< "(?P<text>.*)"', rest)["text"].replace("$NEW", "a new one")
    embedded = apart.embedded
    old = passwords.read(Layout(embedded.folder), passwords.SUPERUSER)

    inside(apart, secret, script, given=statement.encode())

    where = conninfo_to_dict(embedded.dsn(passwords.SUPERUSER)) | {"passfile": "/dev/null"}
    with psycopg.connect(**(where | {"password": "a new one"})) as conn:
        conn.execute(f"ALTER ROLE CURRENT_USER PASSWORD '{old}'")


def test_a_password_in_a_connection_string_is_changed_by_what_stands_there():
    text = (pages.PAGES / "rotate.md").read_text()
    edits = set(re.findall(r'sed "(?P<edit>s/password=[^"]*)"', text))
    (edit,) = edits
    dsn = fresh(Wanted(database="gpu-dev-postgres.gpu-controlplane.svc:5432/gpudev", owner="postgres"))["api-dsn"]

    command = ["sed", edit.replace("$NEW", "0123abcd")]
    changed = subprocess.run(command, input=dsn, capture_output=True, check=True).stdout.decode()

    assert conninfo_to_dict(changed) == conninfo_to_dict(dsn.decode()) | {"password": "0123abcd"}
