"""Who may reach what, as the rows say it."""

from __future__ import annotations

import pathlib
import subprocess
import uuid

import attrs
import pytest

from gpudev_sdk.engine import accounts
from gpudev_sdk.engine.accounts import add_key
from gpudev_sdk.errors import Unavailable
from gpudev_sdk.ssh.keys import parse_public_key
from gpudev_sdk.store import people
from gpudev_services.gateway import Hold, StoreAccess


@pytest.fixture
def access(api_store):
    return StoreAccess(api_store)


@pytest.fixture
def enrol(api_store, tmp_path: pathlib.Path):
    """Make a key for a person and return its fingerprint."""

    def made(user):
        path = tmp_path / f"key-{uuid.uuid4()}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        text = path.with_suffix(".pub").read_text()
        with api_store.transaction() as conn:
            add_key(conn, user, text, None)
        return parse_public_key(text).fingerprint

    return made


@pytest.fixture
def active(bench):
    """Bring up a reservation and return its id."""

    def made(user, name):
        reservation_id = bench.submit(user, name=name)
        bench.work(reservation_id)
        assert bench.row(reservation_id).state == "active"
        return reservation_id

    return made


def test_a_key_is_its_persons_until_it_is_removed_or_they_are_shut_out(bench, api_store, kim, access, enrol):
    first, second = enrol(kim), enrol(kim)
    assert access.user_of_key(first) == kim
    assert access.user_of_key("SHA256:unknown") is None
    with api_store.transaction() as conn:
        key = conn.execute(people.Q["find_key"], {"fingerprint": first}).fetchone()
        conn.execute(people.Q["remove_key"], {"id": key["id"], "user_id": kim.id})
    assert access.user_of_key(first) is None
    assert access.still_held([Hold(kim.id, first), Hold(kim.id, second)]) == {Hold(kim.id, second)}
    accounts.set_disabled(attrs.evolve(bench.engine, store=api_store), "kim", disabled=True)
    assert access.user_of_key(second) is None
    assert access.still_held([Hold(kim.id, second)]) == frozenset()


def test_a_box_is_found_by_its_owner_and_by_nobody_else(kim, lee, access, active):
    work = active(kim, "work")
    found = access.find_box(kim.id, "work", None)
    assert (found.reservation_id, found.endpoint) == (work, "unix:/box")
    assert access.find_box(kim.id, "work", "kim") == found
    assert access.find_box(kim.id, "work", "lee") is None
    assert access.find_box(kim.id, "other", None) is None
    assert access.find_box(lee.id, "work", None) is None
    assert access.find_box(lee.id, "work", "kim") is None


def test_a_box_is_reached_by_its_owners_live_keys_only(kim, lee, access, active, enrol):
    work, kims, lees = active(kim, "work"), enrol(kim), enrol(lee)
    assert access.may_reach(kim.id, kims, work)
    assert not access.may_reach(lee.id, lees, work)
    assert not access.may_reach(kim.id, lees, work)
    assert not access.may_reach(kim.id, kims, uuid.uuid4())


def test_what_is_cancelled_is_out_of_reach_at_once(bench, kim, access, active, enrol):
    work, key = active(kim, "work"), enrol(kim)
    bench.cancel(kim, work)
    assert not access.may_reach(kim.id, key, work)


def test_what_waits_in_line_is_not_found(bench, kim, access):
    bench.submit(kim, name="work")
    assert access.find_box(kim.id, "work", None) is None


def test_everything_that_is_open_is_asked_in_one_question(kim, lee, access, active, enrol):
    work, kims, lees = active(kim, "work"), enrol(kim), enrol(lee)
    good = {Hold(kim.id, kims), Hold(kim.id, kims, work), Hold(lee.id, lees)}
    bad = {Hold(lee.id, lees, work), Hold(kim.id, "SHA256:x"), Hold(uuid.uuid4(), kims), Hold(kim.id, kims, lee.id)}
    assert access.still_held(good | bad) == good
    assert access.still_held([]) == frozenset()


def test_a_database_that_is_away_is_said_and_never_taken_for_no(api_store, kim, access):
    api_store.close()
    with pytest.raises(Unavailable):
        access.still_held([Hold(kim.id, "SHA256:x")])
    with pytest.raises(Unavailable):
        access.user_of_key("SHA256:x")
