"""The embedded PostgreSQL: made once, closed to strangers, alone in its folder, and honest about a folder that is wrong."""

from __future__ import annotations

import os
import pathlib
import shutil
import stat
import subprocess
import sys

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from gpudev_sdk.errors import Conflict, StoreError
from gpudev_sdk.store import migrate, roles
from gpudev_sdk.store.embedded import Embedded, dumps
from gpudev_sdk.store.embedded.layout import LONGEST_SOCKET, Layout, is_private
from gpudev_sdk.store.embedded.passwords import LOGINS, SUPERUSER
from tests.fix_database import KILLABLE


def made(folder, **more):
    return Embedded(folder, settings=KILLABLE, ballast_bytes=1024, **more)


@pytest.fixture
def embedded(tmp_path):
    one = made(tmp_path / "deep" / "postgres")
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def initialised(tmp_path_factory):
    """A folder whose database was made, and is down."""
    folder = tmp_path_factory.mktemp("made") / "postgres"
    one = made(folder)
    one.start()
    one.migrate()
    one.stop()
    return folder


@pytest.fixture
def folder(initialised, tmp_path):
    """A copy of it."""
    yield shutil.copytree(initialised, tmp_path / "postgres", symlinks=True)
    shutil.rmtree(tmp_path / "postgres")


def test_a_role_connects_and_the_dsn_holds_no_password(server):
    for role in roles.ROLES:
        assert "password" not in conninfo_to_dict(server.dsn(role))
        with psycopg.connect(server.dsn(role)) as conn:
            assert conn.execute("SELECT current_user").fetchone() == (role,)


@pytest.mark.parametrize("role", LOGINS)
def test_nobody_is_trusted_without_a_password(server, role):
    bare = conninfo_to_dict(server.dsn(role)) | {"passfile": "/dev/null"}
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(**bare)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**bare, password="guessed")


def test_every_way_in_asks_for_scram(server):
    lines = (server.folder / "data" / "pg_hba.conf").read_text().splitlines()
    ways = {line.split()[-1] for line in lines if line.strip() and not line.startswith("#")}
    assert ways == {"scram-sha-256"}


def test_it_listens_on_no_network(server):
    with psycopg.connect(server.dsn(SUPERUSER, "postgres")) as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)


def test_all_of_it_is_private_and_nothing_above_is_changed(tmp_path):
    above = tmp_path / "above"
    above.mkdir(mode=0o711)
    above.chmod(0o711)
    one = made(above / "postgres")
    one.start()
    one.stop()
    assert stat.S_IMODE(above.stat().st_mode) == 0o711
    for path in (above / "postgres", *(above / "postgres").rglob("*")):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path


def test_it_runs_with_no_privilege(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    assert "CapEff:\t0000000000000000" in status
    assert "CapPrm:\t0000000000000000" in status


def test_no_password_is_in_a_command_line_or_the_log(server):
    secrets = [(server.folder / "passwords" / role).read_text().strip().rsplit(":", 1)[1] for role in LOGINS]
    seen = [path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    seen.append((server.folder / "postgres.log").read_bytes())
    assert not [secret for secret in secrets if any(secret.encode() in text for text in seen)]


def test_a_failed_statement_is_logged_without_its_values(server, shared_database):
    with psycopg.connect(shared_database.owner_dsn) as conn, pytest.raises(psycopg.Error):
        conn.execute("INSERT INTO app_user (id, name) VALUES (gen_random_uuid(), 'TOP SECRET')")
    assert "TOP SECRET" not in (server.folder / "postgres.log").read_text()


def test_the_code_of_the_wheel_is_never_imported():
    code = (
        "import sys, gpudev_sdk.store.embedded.binaries as b; b.program('postgres'); assert b.WHEEL not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_long_path_has_its_socket_in_a_short_private_folder(tmp_path):
    folder = tmp_path / ("long" * 20) / "postgres"
    one = made(folder)
    one.start()
    try:
        place = pathlib.Path(conninfo_to_dict(one.dsn(roles.ENGINE))["host"])
        assert len(f"{place}/.s.PGSQL.5432") <= LONGEST_SOCKET
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert made(folder).dsn(roles.ENGINE) == one.dsn(roles.ENGINE), "another process finds it"
    finally:
        one.stop()
    assert not place.exists()


def test_a_short_folder_that_somebody_else_took_is_not_used(tmp_path):
    layout = Layout(tmp_path / ("long" * 20))
    layout.folder.mkdir()
    taken = layout.socket_folder()
    taken.mkdir(mode=0o777)
    taken.chmod(0o777)
    try:
        layout.make_socket_folder()
        chosen = layout.socket_folder()
        assert chosen != taken and is_private(chosen)
        layout.drop_socket_folder()
        assert not chosen.exists()
    finally:
        taken.rmdir()


def test_two_starts_on_one_folder_are_one_too_many(embedded):
    with pytest.raises(StoreError, match="in use by another gpudev") as failure:
        made(embedded.folder).start()
    assert str(embedded.folder) in failure.value.message and failure.value.hint
    with psycopg.connect(embedded.dsn(roles.ENGINE)):
        pass


def test_what_was_written_is_there_after_a_stop_and_a_start(folder):
    for expected in ([], ["anna"]):
        one = made(folder)
        one.start()
        with psycopg.connect(one.dsn(roles.API)) as conn:
            assert [row[0] for row in conn.execute("SELECT name FROM app_user")] == expected
            conn.execute("INSERT INTO app_user (id, name) VALUES (gen_random_uuid(), 'anna') ON CONFLICT DO NOTHING")
        one.stop()


def contents(folder):
    return {str(path) for path in folder.rglob("*") if path.name != "lock"}


@pytest.mark.parametrize("how", ["emptied", "away"])
def test_a_folder_that_lost_its_database_is_not_made_afresh(folder, how):
    shutil.rmtree(folder / "data")
    if how == "emptied":
        (folder / "data").mkdir()
    before = contents(folder)
    with pytest.raises(StoreError, match="not made afresh") as failure:
        made(folder).start()
    assert "admin restore" in failure.value.hint
    assert contents(folder) == before


def test_another_major_version_is_refused_with_the_next_step(folder):
    (folder / "data" / "PG_VERSION").write_text("16\n")
    before = contents(folder)
    with pytest.raises(StoreError, match="made by PostgreSQL 16") as failure:
        made(folder).start()
    assert "admin backup" in failure.value.hint
    assert contents(folder) == before


def test_another_database_in_its_place_is_refused(folder, server):
    shutil.copy(server.folder / "data" / "global" / "pg_control", folder / "data" / "global" / "pg_control")
    with pytest.raises(StoreError, match="another database"):
        made(folder).start()


def test_a_damaged_marker_is_refused(folder):
    (folder / "initialised").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        made(folder).start()


def test_lost_passwords_are_refused_and_a_lost_one_of_a_service_is_made_again(folder):
    (folder / "passwords" / roles.API).unlink()
    one = made(folder)
    one.start()
    with psycopg.connect(one.dsn(roles.API)):
        pass
    one.stop()
    (folder / "passwords" / SUPERUSER).unlink()
    with pytest.raises(StoreError, match=r"passwords of the database .* are lost") as failure:
        made(folder).start()
    assert "admin restore" in failure.value.hint


def test_a_start_that_was_cut_off_before_the_marker_is_completed(folder):
    (folder / "initialised").unlink()
    one = made(folder)
    one.start()
    one.stop()
    assert (folder / "initialised").exists()


def test_a_start_that_was_cut_off_while_making_it_begins_again(tmp_path):
    scratch = tmp_path / "postgres" / "data.making"
    scratch.mkdir(parents=True)
    (scratch / "PG_VERSION").write_text("18\n")
    one = made(tmp_path / "postgres")
    one.start()
    one.stop()
    assert not scratch.exists()


def test_a_folder_is_usable_again_after_a_refused_start(folder):
    version = folder / "data" / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(StoreError):
        made(folder).start()
    version.write_text("18\n")
    one = made(folder)
    one.start()
    one.stop()


def test_a_place_that_is_no_folder_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used") as failure:
        made(tmp_path / "file" / "postgres").start()
    assert failure.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="permission denied"):
        made(tmp_path / "postgres").start()
    tmp_path.chmod(0o700)


def test_a_setting_that_postgres_refuses_is_said_in_its_own_words(folder):
    with pytest.raises(StoreError, match="no_such_setting"):
        Embedded(folder, settings={"no_such_setting": "1"}, ballast_bytes=1024).start()


def test_a_dsn_of_a_database_that_was_never_made_is_a_clear_error(tmp_path):
    with pytest.raises(StoreError, match="no database") as failure:
        made(tmp_path).dsn(roles.ENGINE)
    assert failure.value.hint


def test_a_dump_is_private_whole_and_never_over_another_file(server, tmp_path):
    server.dump(tmp_path / "some.dump")
    assert stat.S_IMODE((tmp_path / "some.dump").stat().st_mode) == 0o600
    assert (tmp_path / "some.dump").read_bytes().startswith(b"PGDMP")
    with pytest.raises(Conflict):
        server.dump(tmp_path / "some.dump")
    with pytest.raises(StoreError, match="cannot be used"):
        server.dump(tmp_path / "nowhere" / "some.dump")
    assert [path.name for path in tmp_path.iterdir()] == ["some.dump"]


def test_a_database_is_dumped_before_it_is_migrated(embedded):
    embedded.migrate()
    assert list((embedded.folder / "dumps").iterdir()) == []
    with psycopg.connect(embedded.dsn(roles.OWNER)) as conn:
        conn.execute("ALTER TABLE node DROP COLUMN volumes")
        conn.execute("DELETE FROM schema_migration WHERE number = %s", (migrate.SCHEMA,))
    assert len(embedded.migrate()) == 1
    assert len(list((embedded.folder / "dumps").iterdir())) == 1


def test_the_newest_dumps_are_kept(server):
    made = [dumps.before_migration(server._layout, server.dsn(roles.OWNER), number) for number in range(5)]
    assert {path.name for path in (server.folder / "dumps").iterdir()} == {path.name for path in made[-dumps.KEPT :]}
