"""The owner of the machine of an API: in a cluster, whoever may run commands in its pod, with no token and no option."""

from __future__ import annotations

import json
import subprocess

import attrs
import psycopg
import pytest

from tests.contract.services.apart import BIN, Person
from tests.fix_install import until

NAME = "cluster-admin"


@attrs.define
class Pod:
    """One API with a local socket, and commands beside it, as `kubectl exec` runs them."""

    apart: object
    service: object
    data: object

    def run(self, *words, stdin=""):
        environment = self.apart.environment | {"HOME": str(self.apart.root / "tmp"), "GPUDEV_DATA": str(self.data)}
        return subprocess.run(
            [BIN / "gpudev", *words],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def admin(self, *words, stdin=""):
        done = self.run("admin", *words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words):
        """Return what a refused command says: what is the matter, and the next step."""
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr


def made(apart, name, **more):
    data = apart.root / name
    return Pod(apart, apart.service(name, "api", "--local", str(data), **more), data)


@pytest.fixture(scope="module")
def pod(apart):
    started = made(apart, "pod")
    started.service.start()
    apart.until_ready(started.service)
    yield started
    started.service.kill()


def sql(apart, statement, *values):
    with psycopg.connect(apart.dsn, autocommit=True) as conn:
        cursor = conn.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def test_the_commands_of_an_admin_find_the_server_with_no_option(pod):
    listed = json.loads(pod.admin("users", "list", "--json"))["items"]

    assert {each["name"]: each["is_admin"] for each in listed}[NAME] is True


def test_nobody_but_the_owner_of_the_folder_comes_near_the_socket(pod):
    assert pod.data.stat().st_mode & 0o777 == 0o700
    assert (pod.data / "run").stat().st_mode & 0o777 == 0o700
    assert (pod.data / "run" / "api.sock").stat().st_mode & 0o777 == 0o600


def test_a_person_who_is_added_there_signs_in_from_elsewhere_until_they_are_disabled_there(pod):
    person = Person(pod.apart.root, "ann")
    person.make_key()
    pod.admin("users", "add", "ann", "--key", "-", stdin=(pod.apart.root / "ann-key.pub").read_text())
    login = ("login", pod.apart.address(pod.service), "--key", str(person.key))
    person.cli(*login)
    assert person.json("whoami")["user"] == "ann"
    assert person.json("whoami")["is_admin"] is False

    pod.admin("users", "disable", "ann")

    assert pod.apart.get(pod.service, "/v1/me", person.token)[0] == 403
    person.cli(*login, ok=False)


def test_what_is_done_there_is_written_down_as_done_there(pod):
    pod.admin("users", "add", "written")

    rows = sql(pod.apart, "SELECT actor, via, action FROM audit_event WHERE object = 'written'")
    assert rows == [(NAME, "socket", "user-add")]


def test_an_admin_who_comes_by_a_token_is_none(pod):
    person = Person(pod.apart.root, "boss")
    person.make_key()
    assert pod.apart.run("admin-user", "boss", "--key", f"{person.key}.pub").returncode == 0
    person.cli("login", pod.apart.address(pod.service), "--key", str(person.key))

    status, text = pod.apart.get(pod.service, "/v1/admin/users", person.token)

    assert status == 403
    assert "in a pod of the API" in text


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (("admin", "backup", "/tmp/dump"), "pg_dump"),
        (("admin", "adopt", "local"), "deploy/RELEASE-processor -- gpudev-services adopt"),
        (("admin", "doctor"), "deploy/RELEASE-processor -- gpudev-services doctor"),
    ],
    ids=["backup", "adopt", "doctor"],
)
def test_what_needs_more_than_an_api_says_where_to_do_it_instead(pod, words, step):
    assert step in pod.refused(*words)


def test_the_backends_that_are_listed_are_those_that_the_server_has(pod):
    done = pod.run("backend", "list")

    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [["local", "local", "local", "yes"]]


def test_a_server_that_waits_for_its_database_says_so_there_too(apart):
    nowhere = b"host=127.0.0.1 port=1 user=gpudev_api dbname=gpudev password=x"
    early = made(apart, "early", secrets=apart.folder_of("api", **{"api-dsn": nowhere}))
    early.service.start()
    try:
        until(lambda: apart.get(early.service, "/healthz")[0] == 200)
        assert "waits for its database" in early.refused("admin", "users", "list")
    finally:
        early.service.kill()


def test_after_a_crash_the_next_one_of_the_folder_answers(apart):
    again = made(apart, "again")
    for _ in range(2):
        again.service.start()
        apart.until_ready(again.service)
        again.admin("users", "list")
        again.service.kill()
    assert "no gpudev server" in again.refused("admin", "users", "list")


def test_without_the_option_there_is_no_socket_anywhere(apart):
    plain = apart.service("plain-api", "api").start()
    try:
        apart.until_ready(plain)
        assert not [each for each in (apart.root / "tmp").rglob("*") if each.is_socket()]
    finally:
        plain.kill()


def test_a_folder_of_somebody_elses_is_refused(apart):
    folder = apart.root / "theirs"
    folder.write_text("no folder")

    done = apart.run("api", "--listen", "127.0.0.1:0", "--local", str(folder), secrets=apart.folder_of("api"))

    assert done.returncode == 1
    assert f"{folder} cannot be used" in done.stderr


def test_a_person_whom_a_login_enrolled_by_that_name_is_no_admin_and_stops_nothing(apart):
    sql(
        apart,
        "INSERT INTO app_user (id, name, is_admin) VALUES (gen_random_uuid(), %s, false)"
        " ON CONFLICT (name) DO UPDATE SET is_admin = false",
        NAME,
    )
    sql(
        apart,
        "INSERT INTO user_identity (id, user_id, login, subject, display)"
        " SELECT gen_random_uuid(), id, 'corp', '1', 'x' FROM app_user WHERE name = %s",
        NAME,
    )
    taken = made(apart, "taken")
    taken.service.start()
    try:
        apart.until_ready(taken.service)
        assert "needs a token" in taken.refused("admin", "users", "list")
        assert "nobody is an admin at the local socket" in taken.service.said
    finally:
        taken.service.kill()
        sql(apart, "DELETE FROM user_identity WHERE subject = '1'")
