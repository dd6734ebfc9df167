"""An admin says whose an identity is; two people never have the same, and what is taken away is gone."""

from __future__ import annotations

import uuid

import psycopg
import pytest


def test_only_the_owner_of_the_install_links(api, kim, lee):
    client = api.client("wide", user=lee)
    body = {"login": "corp", "subject": "u-1"}

    assert client.post("/v1/admin/users/lee/identities", json=body).status_code == 403
    assert client.delete(f"/v1/admin/users/lee/identities/{uuid.uuid4()}").status_code == 403


def test_everybody_is_shown_with_their_own_identities(api, kim, lee, link):
    link("lee", "u-1")
    link("lee", "u-1", "other")
    items = api.client().get("/v1/admin/users").json()["items"]

    shown = {user["name"]: [(each["login"], each["subject"]) for each in user["identities"]] for user in items}
    assert shown == {"kim": [], "lee": [("corp", "u-1"), ("other", "u-1")]}


def test_two_people_never_have_the_same_identity(kim, lee, link, come):
    assert link("kim", "u-1").status_code == 201
    refused = link("lee", "u-1")

    assert refused.status_code == 409
    assert refused.json()["detail"] == "that identity is linked to kim"
    assert come("u-1").json()["user"] == "kim"


def test_the_database_holds_that_too(bench, owner_store, kim, lee, link):
    link("kim", "u-1")

    with pytest.raises(psycopg.errors.UniqueViolation), owner_store.transaction() as conn:
        conn.execute(
            "INSERT INTO user_identity (id, user_id, login, subject)"
            " SELECT id, id, 'corp', 'u-1' FROM app_user WHERE name = 'lee'"
        )


def test_the_same_link_again_changes_nothing(bench, lee, link):
    assert [link("lee", "u-1").status_code for _ in range(2)] == [201, 201]
    assert len(bench.sql("SELECT * FROM user_identity")) == 1


def test_a_removed_identity_opens_nothing_and_what_it_opened_is_closed(api, lee, link, unlink, come):
    link("lee", "u-1")
    client = api.client("wide", token=come("u-1").json()["token"])
    assert client.get("/v1/me").status_code == 200

    assert unlink("lee", "u-1").json()["identities"] == []

    assert client.get("/v1/me").status_code == 401
    assert come("u-1").status_code == 401


def test_a_removed_identity_can_become_anothers(kim, lee, link, unlink, come):
    link("lee", "u-1")
    unlink("lee", "u-1")

    assert link("kim", "u-1").status_code == 201
    assert come("u-1").json()["user"] == "kim"


def test_anothers_identity_is_not_taken_by_a_wrong_name(api, kim, lee, link, come):
    linked = link("lee", "u-1").json()["identities"][0]["id"]
    owner = api.client()

    for name in ("kim", "nobody"):
        assert owner.delete(f"/v1/admin/users/{name}/identities/{linked}").status_code == 404
    assert come("u-1").json()["user"] == "lee"


def test_linking_enables_nobody(api, bench, lee, link, come):
    api.client().patch("/v1/admin/users/lee", json={"disabled": True})

    assert link("lee", "u-1").status_code == 201
    assert come("u-1").status_code == 401


@pytest.mark.parametrize(
    ("name", "subject", "login", "status"),
    [
        ("nobody", "u-1", "corp", 404),
        ("lee", "u-1", "crop", 404),
        ("lee", "SHA256:x", "keys", 422),
        ("lee", "", "corp", 422),
        ("lee", "a" * 161, "corp", 422),
        ("lee", "a\nb", "corp", 422),
        ("lee", "a\x1b[2J", "corp", 422),
        ("lee", "a'b", "corp", 422),
        ("lee", " a", "corp", 422),
        ("lee", "u\u202e1", "corp", 422),
    ],
)
def test_what_could_never_come_in_is_not_linked(bench, lee, link, name, subject, login, status):
    answer = link(name, subject, login)

    assert answer.status_code == status
    assert answer.json()["hint"] or status == 422
    assert bench.sql("SELECT * FROM user_identity") == []
