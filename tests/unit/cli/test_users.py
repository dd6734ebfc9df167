"""`gpudev admin users` with logins, and `gpudev login --by … --set …`."""

from __future__ import annotations

import json
import uuid

import pytest

from gpudev_cli.commands import login as command
from gpudev_sdk.client.installs import Install, Token, read_config, write_config
from gpudev_sdk.client.login import SignedIn
from gpudev_sdk.client.origins import Origin
from gpudev_sdk.wire.account_views import IdentityView, PeopleView, PersonView
from tests.unit.client.stub_api import NOW

LINKED = IdentityView(id=uuid.UUID(int=7), login="corp", subject="u-1", display="Kim\x1b[2J", created_at=NOW)
KIM = PersonView(name="kim", is_admin=True, disabled=False, created_at=NOW, keys=1, identities=[LINKED])
LEE = PersonView(name="lee", is_admin=False, disabled=True, created_at=NOW, keys=0)
ORIGIN = Origin("https://lab:7070", "ab" * 32)


@pytest.fixture
def people(stub):
    stub.on("GET", "/admin/users", PeopleView(items=[KIM, LEE]))
    stub.on("POST", "/admin/users/lee/identities", LEE)
    stub.on("DELETE", f"/admin/users/kim/identities/{LINKED.id}", LEE)


def test_the_list_says_by_which_logins_people_come(gpudev, people):
    head, kim, lee = gpudev("admin", "users", "list").out.splitlines()

    assert head.split() == ["NAME", "IS", "KEYS", "LOGINS", "SINCE"]
    assert kim.split()[:4] == ["kim", "admin", "1", "corp"]
    assert lee.split()[:4] == ["lee", "disabled", "0", "-"]


def test_a_person_is_shown_as_the_logins_know_them(gpudev, people):
    done = gpudev("admin", "users", "show", "kim")

    assert done.out.splitlines()[-1].split()[:3] == ["corp", "u-1", "Kim?[2J"]
    assert json.loads(gpudev("admin", "users", "show", "kim", "--json").out)["identities"][0]["subject"] == "u-1"
    assert gpudev("admin", "users", "show", "pat").status == 3


def test_linking_sends_what_the_refusal_showed(gpudev, people, stub):
    done = gpudev("admin", "users", "link", "lee", "--login", "corp", "--subject", "u 9")

    assert done.out == "lee is whom corp proves to be u 9.\n"
    assert json.loads(stub.asked("POST", "/admin/users/lee/identities")[0][2]) == {"login": "corp", "subject": "u 9"}


def test_unlinking_takes_exactly_that_identity(gpudev, people, stub):
    for login, subject in (("corp", "u-2"), ("other", "u-1")):
        assert gpudev("admin", "users", "unlink", "kim", "--login", login, "--subject", subject).status == 3
    assert [call for call in stub.calls if call[0] == "DELETE"] == []

    done = gpudev("admin", "users", "unlink", "kim", "--login", "corp", "--subject", "u-1")

    assert (done.status, len(stub.asked("DELETE", f"/admin/users/kim/identities/{LINKED.id}"))) == (0, 1)
    assert "signed out everywhere" in done.out


@pytest.fixture
def asked(monkeypatch, places):
    """Every sign-in that was asked for."""
    seen = []

    def login(places, origin, means, *, name=None):
        seen.append(means)
        install = Install(name="lab", origin=origin, login=means.by or "ssh", key=means.key or "", user="kim",
                          settings=tuple(means.settings.items()))  # fmt: skip
        write_config(places, read_config(places).with_install(install))
        return SignedIn(install, Token("gpd_x", NOW))

    monkeypatch.setattr(command, "login", login)
    monkeypatch.setattr(command, "refresh", lambda calls: None)
    monkeypatch.setattr(command.consent, "ask_once", lambda places: None)
    return seen


def test_settings_are_remembered_for_the_same_login_and_no_other(gpudev, asked):
    gpudev("login", str(ORIGIN), "--by", "corp", "--set", "account=me", "--set", "realm=a=b")
    gpudev("login", "lab", "--set", "realm=c")
    gpudev("login", "lab", "--by", "other")

    assert [(means.by, dict(means.settings)) for means in asked] == [
        ("corp", {"account": "me", "realm": "a=b"}), ("corp", {"account": "me", "realm": "c"}), ("other", {}),
    ]  # fmt: skip


def test_a_key_is_remembered_for_the_same_login_and_no_other(gpudev, asked):
    gpudev("login", str(ORIGIN), "--key", "/k")
    gpudev("login", "lab")
    gpudev("login", "lab", "--by", "corp")

    assert [means.key for means in asked] == ["/k", "/k", None]


@pytest.mark.parametrize("words", [["account"], ["=x"], ["a=1", "a=2"]])
def test_a_setting_that_is_none_is_refused_before_anything_is_sent(gpudev, asked, words):
    assert gpudev("login", str(ORIGIN), *[f"--set={word}" for word in words]).status == 2
    assert asked == []


def test_the_help_shows_how_a_person_is_linked(gpudev):
    assert "gpudev admin users link kim --login corp --subject" in gpudev("admin", "users", "--help").out
    assert "--by corp --set account=me" in gpudev("login", "--help").out
