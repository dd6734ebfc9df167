"""A login that may enrol makes a user of a first proof: a new one, never somebody who is there."""

from __future__ import annotations

import concurrent.futures

import pytest

from gpudev_sdk.engine.accounts import ensure_operator
from gpudev_sdk.errors import Conflict
from tests.contract.logins.people import audit, users

SHOWN = "Ask an admin: gpudev admin users link YOURNAME --login open --subject "


def test_a_first_proof_makes_a_user_named_by_the_display(bench, come):
    answer = come("u-1", "Pat O'Neil", by="open")

    assert answer.json()["user"] == "pat-o-neil"
    made = bench.sql("SELECT name, is_admin FROM app_user WHERE name <> 'kim'")
    assert [tuple(row.values()) for row in made] == [("pat-o-neil", False)]
    assert audit(bench) == [
        ("pat-o-neil", "login:open", "user-enrol", "u-1"), ("pat-o-neil", "login:open", "login", "u-1"),
    ]  # fmt: skip


def test_the_second_proof_is_the_same_user_whatever_the_display_is_now(bench, come):
    come("u-1", "pat", by="open")

    assert come("u-1", "someone else", by="open").json()["user"] == "pat"
    assert users(bench) == ["kim", "pat"]


def test_a_login_enrols_nobody_unless_it_is_configured_to(bench, come):
    assert come("u-1", "pat").status_code == 401
    assert users(bench) == ["kim"]


def test_people_whose_names_come_out_alike_are_never_made_one(bench, come):
    first = come("u-1", "john@corp.com", by="open")
    others = [
        come(f"v-{number}", display, by="open")
        for number, display in enumerate(("john-corp.com", "john+corp.com", "John@Corp.com", "john@corp.com"))
    ]

    assert first.json()["user"] == "john-corp-com"
    assert [answer.status_code for answer in others] == [401] * 4
    assert others[0].json()["hint"] == SHOWN + "v-0"
    assert users(bench) == ["john-corp-com", "kim"]
    assert len(bench.sql("SELECT * FROM user_identity")) == 1


def test_nobody_becomes_the_operator_by_coming_in_under_that_name_first(bench, come):
    come("u-1", "pat", by="open")

    with pytest.raises(Conflict, match="pat is whom a login proved") as raised:
        ensure_operator(bench.engine, "pat")

    assert "unlink pat" in raised.value.hint
    assert bench.sql("SELECT is_admin FROM app_user WHERE name = 'pat'") == [{"is_admin": False}]


def test_an_admin_who_has_an_identity_stays_the_operator(bench, api, link):
    ensure_operator(bench.engine, "pat")
    link("pat", "u-1")

    assert ensure_operator(bench.engine, "pat").is_admin


def test_long_names_that_are_cut_alike_are_never_made_one(bench, come):
    come("u-1", "a" * 40 + "x", by="open")

    assert come("u-2", "a" * 40 + "y", by="open").status_code == 401


def test_who_calls_themselves_like_a_user_that_is_there_is_refused_like_anybody(bench, lee, come):
    taken, nameless = come("u-1", "Lee", by="open"), come("u-1", "***", by="open")

    assert taken.json()["hint"] == nameless.json()["hint"] == SHOWN + "u-1"
    assert taken.json()["detail"].replace("Lee", "***") == nameless.json()["detail"]
    assert come("u-1", "kim", by="open").status_code == 401


def test_the_same_display_of_a_disabled_user_lets_nobody_in(api, bench, lee, come):
    api.client().patch("/v1/admin/users/lee", json={"disabled": True})

    assert come("u-1", "lee", by="open").status_code == 401
    assert bench.sql("SELECT * FROM user_identity") == []


def test_an_enrolled_person_who_is_disabled_is_not_enrolled_again(api, bench, come):
    come("u-1", "pat", by="open")
    api.client().patch("/v1/admin/users/pat", json={"disabled": True})

    assert come("u-1", "pat two", by="open").status_code == 401
    assert users(bench) == ["kim", "pat"]


def test_an_identity_that_an_admin_took_away_is_not_enrolled_again(bench, unlink, come):
    come("u-1", "pat", by="open")
    unlink("pat", "u-1")

    assert come("u-1", "pat two", by="open").status_code == 401
    assert users(bench) == ["kim", "pat"]


def test_a_replayed_nonce_enrols_nobody(bench, come, wide):
    nonce = wide.post("/v1/login/challenge").json()["nonce"]
    come("u-1", "pat", by="open", nonce=nonce)

    assert come("u-2", "sam", by="open", nonce=nonce).status_code == 401
    assert users(bench) == ["kim", "pat"]


def test_a_person_who_comes_twice_at_once_is_made_once(bench, come):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: come("u-1", "pat", by="open"), range(6)))

    assert {answer.json().get("user") for answer in answers} == {"pat"}
    assert users(bench) == ["kim", "pat"]


def test_a_person_who_comes_at_once_under_many_displays_is_made_once(bench, come):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: come("u-1", f"pat {number}", by="open"), range(6)))

    let_in = {answer.json()["user"] for answer in answers if answer.status_code == 200}
    assert users(bench) == sorted({"kim"} | let_in)
    assert len(let_in) == 1
    assert {answer.status_code for answer in answers} <= {200, 401}


HOSTILE = [
    "a" * 10_240, "pat\x1b[31m", "pat\x1b]0;owned\x07", "pat\r\nkim", "pat\0", "pat\u202e", "pat\u200b", "\ud7ff\ue000",
    "k\u0456m", "none", "default", "--", "...", "", "\U0001f600",
]  # fmt: skip


@pytest.mark.parametrize("display", HOSTILE, ids=[ascii(text[:20]) for text in HOSTILE])
def test_a_hostile_display_steers_nothing_and_is_nobody_who_is_there(api, bench, lee, come, display):
    for by in ("corp", "open"):
        answer = come("u-1", display, by=by)
        assert answer.status_code in (200, 401, 422)
        assert len(answer.text) < 1000
        assert answer.json().get("detail", "").isprintable()
    kept = [row["display"] for row in bench.sql("SELECT display FROM user_identity")]
    assert all(text.isprintable() and len(text) <= 80 for text in kept)
    assert set(users(bench)) - {"kim", "lee"} <= {"k-m"}
