"""A sign-in and an admin at the same moment: whichever of them is first, who was unlinked has no token."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import uuid

import pytest

from gpudev_sdk.store import ids, people
from tests.contract.logins.people import users

UNLINK = "UPDATE user_identity SET removed_at = gpudev_now()"


@pytest.fixture
def meanwhile(bench, owner_store):
    """Begin something, ask for what has to wait for its end, and do something else first; return the answer."""

    def go(begin, ask, do=lambda conn: None):
        with concurrent.futures.ThreadPoolExecutor(1) as pool, owner_store.transaction() as conn:
            begin(conn)
            asking = pool.submit(ask)
            while not bench.sql(
                "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"
            ):
                assert not asking.done(), "it waited for nothing"
            do(conn)
        return asking.result()

    return go


def identity_of(person, login):
    """Return what links a person to `u-1`."""
    return {"id": ids.new(), "user_id": person.id, "login": login, "subject": "u-1", "display": ""}


def locked(person):
    """Return what has a person wait."""
    return lambda conn: conn.execute(people.Q["lock_user"], {"id": person.id})


def tokens(store):
    """Return how all tokens are."""
    with store.transaction() as conn:
        rows = conn.execute("SELECT revoked_at FROM api_token").fetchall()
    return ["live" if row["revoked_at"] is None else "revoked" for row in rows]


def test_who_is_unlinked_while_they_sign_in_gets_no_token(owner_store, lee, link, come, meanwhile):
    link("lee", "u-1")

    answer = meanwhile(locked(lee), lambda: come("u-1"), lambda conn: conn.execute(UNLINK))

    assert answer.status_code == 401
    assert tokens(owner_store) == []


def test_whose_identity_became_anothers_while_they_sign_in_is_neither(owner_store, kim, lee, link, come, meanwhile):
    link("lee", "u-1")

    def give(conn):
        conn.execute(UNLINK)
        conn.execute(people.Q["insert_identity"], identity_of(kim, "corp"))

    assert meanwhile(locked(lee), lambda: come("u-1"), give).status_code == 401
    assert tokens(owner_store) == []
    assert come("u-1").json()["user"] == "kim"


def test_who_is_disabled_while_they_sign_in_gets_no_token(owner_store, lee, link, come, meanwhile):
    link("lee", "u-1")

    def disable(conn):
        conn.execute(people.Q["disable_user"], {"id": lee.id, "disabled": True})

    assert meanwhile(locked(lee), lambda: come("u-1"), disable).status_code == 401
    assert tokens(owner_store) == []


def test_who_is_linked_while_they_enrol_is_not_made_as_well(bench, lee, come, meanwhile):
    def link(conn):
        conn.execute(people.Q["insert_identity"], identity_of(lee, "open"))

    answer = meanwhile(link, lambda: come("u-1", "pat", by="open"))

    assert (answer.status_code, answer.json()["hint"]) == (401, "Log in again: gpudev login.")
    assert users(bench) == ["kim", "lee"]
    assert come("u-1", "pat", by="open").json()["user"] == "lee"


def test_a_token_that_is_made_while_they_are_unlinked_ends_as_well(owner_store, lee, link, unlink, meanwhile):
    link("lee", "u-1")
    fields = {"id": uuid.uuid4(), "user_id": lee.id, "hash": b"h" * 32, "lasts": dt.timedelta(hours=8)}

    answer = meanwhile(
        locked(lee),
        lambda: unlink("lee", "u-1"),
        lambda conn: conn.execute(people.Q["insert_token"], fields).fetchone(),
    )

    assert answer.status_code == 200
    assert tokens(owner_store) == ["revoked"]


def test_a_nonce_is_spent_also_by_a_proof_that_cannot_be_kept(lee, link, come, wide):
    link("lee", "u-1")
    nonce = wide.post("/v1/login/challenge").json()["nonce"]

    assert come("a'b", nonce=nonce).status_code == 500
    assert come("u-1", nonce=nonce).status_code == 401
    assert come("u-1").status_code == 200
