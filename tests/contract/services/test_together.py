"""All services as processes of their own: a person comes in by one, is served by another, and any of them may die."""

from __future__ import annotations

import subprocess
import threading
import time

import httpx2
import psycopg
import pytest

from tests.contract.services.apart import Person
from tests.fix_install import until

pytestmark = [pytest.mark.sandbox]


@pytest.fixture(scope="module")
def lab(apart):
    """Everything, twice where that is lawful."""
    started = {
        "one": apart.service("one", "api"),
        "two": apart.service("two", "api"),
        "first": apart.service("first", "processor"),
        "second": apart.service("second", "processor"),
        "gateway": apart.service("gateway", "gateway"),
    }
    for service in started.values():
        service.start()
    apart.until_ready(*started.values())
    return apart, started


@pytest.fixture(scope="module")
def kim(lab):
    apart, services = lab
    person = Person(apart.root, "kim")
    person.make_key()
    done = apart.run("admin-user", "kim", "--key", f"{person.key}.pub")
    assert done.returncode == 0, done.stderr
    person.cli("login", apart.address(services["one"]), "--key", str(person.key))
    return person


def reserve(person, name):
    person.cli("reserve", "cpu", "1h", "--no-disk", "--name", name)


def hold(person, name):
    """Open a connection into a box that says nothing and ends when it is closed."""
    command = person.ssh_command(name, "echo in; sleep 600")
    opened = subprocess.Popen(
        command, env=person.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert opened.stdout.readline() == b"in\n"
    return opened


def sql(apart, statement, *values):
    with psycopg.connect(apart.dsn, autocommit=True) as conn:
        return conn.execute(statement, values).fetchall()


def test_a_box_is_reached_by_ssh_through_the_gateway(kim):
    reserve(kim, "work")

    assert kim.ssh("work", "echo hello").stdout == "hello\n"
    shown = kim.json("show", "work")
    # What an API that calls no provider knows of the backend.
    assert (shown["state"], shown["notes"]) == ("active", {"compute": "local"})


def test_a_token_of_one_api_is_good_at_the_other(lab, kim):
    apart, services = lab

    status, text = apart.get(services["two"], "/v1/me", kim.token)

    assert status == 200, text
    assert '"kim"' in text
    assert apart.get(services["two"], "/v1/me")[0] == 401


def test_a_cancel_at_one_api_closes_the_channel_at_the_gateway_within_five_seconds(lab, kim):
    apart, services = lab
    reserve(kim, "short")
    opened = hold(kim, "short")
    try:
        headers = {"Authorization": f"Bearer {kim.token}"}
        url = f"https://127.0.0.1:{services['two'].ports['api']}/v1/reservations/short"
        begun = time.monotonic()
        answer = httpx2.delete(url, headers=headers, verify=apart.trust, timeout=10)
        assert answer.status_code == 202, answer.text
        assert opened.wait(10) == 255
        assert time.monotonic() - begun < 5
    finally:
        opened.kill()
        opened.wait()
        opened.stdout.close()


@pytest.mark.parametrize("name", ["one", "first", "second", "gateway"])
def test_what_is_killed_is_started_again_and_nobodys_box_is_lost(lab, kim, name):
    apart, services = lab
    kim.ssh("work", "echo kept > /tmp/kept")

    services[name].kill()
    services[name].start()
    apart.until_ready(services[name])

    assert kim.ssh("work", "cat /tmp/kept").stdout == "kept\n"
    reserve(kim, f"after-{name}")
    assert kim.ssh(f"after-{name}", "echo in").stdout == "in\n"
    kim.cli("cancel", f"after-{name}", "--yes", "--wait")


def test_one_processor_is_enough(lab, kim):
    apart, services = lab
    services["first"].kill()
    try:
        reserve(kim, "alone")
        assert kim.ssh("alone", "echo in").stdout == "in\n"
        kim.cli("cancel", "alone", "--yes", "--wait")
    finally:
        services["first"].start()
        apart.until_ready(services["first"])


def test_nothing_is_ready_while_the_database_is_away_and_everything_is_afterwards(lab, kim):
    apart, services = lab
    apart.embedded.stop()
    try:
        for service in services.values():
            until(lambda one=service: apart.get(one)[0] == 503, within=20)
            assert apart.get(service, "/healthz")[0] == 200
            assert service.process.poll() is None
    finally:
        apart.embedded.start()

    apart.until_ready(*services.values(), within=30)
    assert kim.ssh("work", "echo still").stdout == "still\n"
    reserve(kim, "later")
    assert kim.ssh("later", "echo in").stdout == "in\n"
    kim.cli("cancel", "later", "--yes", "--wait")


def test_a_request_under_way_is_answered_before_the_api_ends_within_fifteen_seconds(lab, kim):
    apart, services = lab
    answers = []
    body = {"gpu_type": "cpu", "gpus": 0, "duration_seconds": 3600}
    headers = {"Authorization": f"Bearer {kim.token}", "Idempotency-Key": "under-way"}
    url = f"https://127.0.0.1:{services['two'].ports['api']}/v1/reservations"

    def ask():
        answers.append(httpx2.post(url, json=body, headers=headers, verify=apart.trust, timeout=20))

    asking = threading.Thread(target=ask)
    with psycopg.connect(apart.dsn) as conn:
        conn.execute("SELECT FROM app_user WHERE name = 'kim' FOR UPDATE")
        asking.start()
        until(lambda: sql(apart, "SELECT 1 FROM pg_locks WHERE NOT granted"))
        begun = time.monotonic()
        services["two"].process.terminate()
        conn.rollback()
    status = services["two"].process.wait(15)
    asking.join(20)

    assert status == 0
    assert time.monotonic() - begun < 15
    assert [answer.status_code for answer in answers] == [202], answers[0].text
    kim.cli("cancel", answers[0].json()["name"], "--yes", "--wait")
    services["two"].start()
    apart.until_ready(services["two"])


@pytest.mark.parametrize("name", ["first", "gateway", "one"])
def test_what_is_told_to_end_ends_in_order_within_fifteen_seconds_and_its_box_goes_on(lab, kim, name):
    apart, services = lab

    assert services[name].end(within=15) == 0

    services[name].start()
    apart.until_ready(services[name])
    assert kim.ssh("work", "cat /tmp/kept").stdout == "kept\n"


def test_every_line_of_every_log_is_a_json_object(lab, kim):
    for service in lab[1].values():
        assert all("event" in line for line in service.lines()), service.said
