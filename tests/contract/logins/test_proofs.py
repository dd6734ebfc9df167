"""From a proof to a person: exactly the login and the subject say who it is, and nothing else does."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from gpudev_sdk import plugins
from gpudev_sdk.engine import accounts
from gpudev_sdk.testing.cloud import SimulatedIdentity, SimulatedSettings
from gpudev_services.api import me, rates
from tests.contract.logins.people import AUDIENCE, CONTEXT, audit, corp, users


def test_a_linked_identity_is_its_person_and_never_an_admin(api, bench, kim, link, come):
    bench.sql("UPDATE app_user SET is_admin = true WHERE name = 'kim'")
    assert link("kim", "u-1").status_code == 201

    answer = come("u-1")

    assert (answer.status_code, answer.json()["user"]) == (200, "kim")
    client = api.client("wide", token=answer.json()["token"])
    assert (client.get("/v1/me").json()["user"], client.get("/v1/me").json()["is_admin"]) == ("kim", False)
    assert client.get("/v1/admin/users").status_code == 403


def test_links_and_logins_are_written_down(bench, lee, link, unlink, come):
    link("lee", "u-1")
    come("u-1")
    unlink("lee", "u-1")

    assert audit(bench) == [
        ("kim", "socket", "identity-link", "lee corp u-1"),
        ("lee", "login:corp", "login", "u-1"),
        ("kim", "socket", "identity-unlink", "lee corp u-1"),
    ]


def test_a_person_of_the_simulated_cloud_comes_in(cloud, lee, link, present):
    link("lee", "person:ada", "cloud")

    assert present(SimulatedIdentity(SimulatedSettings(cloud=cloud), CONTEXT), by="cloud").json()["user"] == "lee"


def test_who_is_proven_and_unknown_is_told_the_own_subject_and_of_nobody_else(kim, lee, come):
    answer = come("u-9", "Pat of Corp")
    problem = answer.json()

    assert answer.status_code == 401
    assert problem["hint"] == "Ask an admin: gpudev admin users link YOURNAME --login corp --subject u-9"
    assert "u-9 (Pat of Corp)" in problem["detail"]
    assert "kim" not in answer.text
    assert "lee" not in answer.text


def test_who_proves_nothing_gets_one_answer_whether_the_subject_is_linked_or_not(lee, link, present):
    link("lee", "u-1")

    answers = [present(corp(account=subject, word="guessed")) for subject in ("u-1", "u-2")]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert len({(answer.json()["detail"], answer.json()["hint"]) for answer in answers}) == 1


def test_a_nonce_is_spent_by_whoever_comes_with_it(lee, link, come, wide):
    link("lee", "u-1")
    first, second = (wide.post("/v1/login/challenge").json()["nonce"] for _ in range(2))

    assert [come("u-1", nonce=first).status_code for _ in range(2)] == [200, 401]
    assert come("u-2", nonce=second).status_code == 401
    link("lee", "u-2")
    assert come("u-2", nonce=second).status_code == 401
    assert come("u-2").status_code == 200


def test_a_nonce_of_nobody_is_refused(lee, link, come):
    link("lee", "u-1")

    assert come("u-1", nonce="A" * 96).status_code == 401


EVIL = "https://evil:7070#sha256=" + "cd" * 32


@pytest.mark.parametrize(("dialled", "said"), [(EVIL, EVIL), (EVIL, AUDIENCE), (AUDIENCE, EVIL)])
def test_a_proof_for_another_audience_is_refused(lee, link, come, dialled, said):
    link("lee", "u-1")

    assert come("u-1", dialled=dialled, said=said).status_code == 401


def test_the_same_subject_of_another_login_is_somebody_else(kim, lee, link, come):
    assert link("kim", "u-1", "corp").status_code == 201
    assert come("u-1", by="other").status_code == 401
    assert link("lee", "u-1", "other").status_code == 201

    assert [come("u-1", by=by).json()["user"] for by in ("corp", "other")] == ["kim", "lee"]


def test_subjects_are_compared_letter_by_letter(lee, link, come):
    link("lee", "u-1")

    assert [come(near).status_code for near in ("U-1", "u-", "u-11", "lee", "u_1", "%", "u-1 x")] == [401] * 7


def test_a_display_is_nobodys_proof(lee, link, come):
    link("lee", "u-1")

    assert come("u-2", "lee").status_code == 401
    assert come("u-2", "u-1").status_code == 401


def test_a_subject_that_cannot_be_kept_is_a_fault_and_lets_nobody_in(bench, come):
    for subject in ("", " ", "a\nb", "a\x1b[2Jb", "a'b", "ünal", "a" * 161, "a  b"):
        answer = come(subject, "pat", by="open")
        assert answer.status_code == 500, subject
        assert answer.json()["hint"] == "Tell the operator of the server."
    assert users(bench) == ["kim"]


@pytest.fixture
def key(tmp_path, monkeypatch):
    """A key file of a person."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def test_a_keys_fingerprint_proved_by_another_login_opens_nothing(api, bench, key, come, present):
    by_key = plugins.identity("ssh")
    signer = by_key(by_key.Settings(key=str(key)), CONTEXT)
    accounts.add_user(api.desk.engine, "pat", pathlib.Path(f"{key}.pub").read_text())
    fingerprint = bench.sql("SELECT fingerprint FROM user_key")[0]["fingerprint"]

    assert come(fingerprint, "pat").status_code == 401
    assert come(fingerprint, "sam", by="open").json()["user"] == "sam"
    assert present(signer, by="keys").json()["user"] == "pat"


def test_an_identity_opens_no_login_by_keys(api, bench, key, present):
    by_key = plugins.identity("ssh")
    signer = by_key(by_key.Settings(key=str(key)), CONTEXT)
    accounts.add_user(bench.engine, "pat", None)
    fingerprint = subprocess.run(["ssh-keygen", "-lf", f"{key}.pub"], capture_output=True, text=True, check=True)
    with api.desk.engine.store.transaction() as conn:
        conn.execute(
            "INSERT INTO user_identity (id, user_id, login, subject) SELECT id, id, 'keys', %s FROM app_user WHERE name = 'pat'",
            (fingerprint.stdout.split()[1],),
        )

    answer = present(signer, by="keys")

    assert (answer.status_code, answer.json()["detail"]) == (401, "the login was not accepted")


def test_an_unknown_login_says_nothing(come):
    assert come("u-1", by="nothing").json()["detail"] == "the login was not accepted"


def test_a_disabled_person_stays_out_and_disabled(api, bench, lee, link, come):
    link("lee", "u-1")
    link("lee", "u-1", "open")
    api.client().patch("/v1/admin/users/lee", json={"disabled": True})

    for by in ("corp", "open"):
        answer = come("u-1", "lee", by=by)
        assert (answer.status_code, answer.json()["detail"]) == (401, "the login was not accepted")
    assert bench.sql("SELECT disabled_at FROM app_user WHERE name = 'lee'")[0]["disabled_at"] is not None
    assert users(bench) == ["kim", "lee"]
    assert [event for event in audit(bench) if event[2] == "login"] == []


def test_logging_in_is_rationed(come, monkeypatch):
    monkeypatch.setattr(me, "LOGIN", rates.LOGIN)

    assert 429 in {come("u-1", nonce="x").status_code for _ in range(12)}
