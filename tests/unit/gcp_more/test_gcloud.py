"""Where a machine has no credentials of Google, gcloud is asked: what it is told, and what becomes of what it says."""

from __future__ import annotations

import os
import pathlib

import pytest

from gpudev_gcp import id_tokens
from gpudev_gcp.identity import audience
from gpudev_sdk.errors import NotSignedIn
from tests.unit.gcp_more.google import ACCOUNT


@pytest.fixture
def gcloud(machine, monkeypatch, tmp_path):
    """Return what puts a gcloud on the PATH that prints something, and where it writes what it was asked."""
    machine(None)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def put(printed: str = "", error: str = "", status: int = 0) -> pathlib.Path:
        (folder / "printed").write_text(printed)
        (folder / "error").write_text(error)
        script = folder / "gcloud"
        lines = ["#!/bin/sh", 'here="$(dirname "$0")"', 'printf "%s\\n" "$@" > "$here/asked"', 'cat "$here/printed"']
        script.write_text("\n".join([*lines, 'cat "$here/error" >&2', f"exit {status}", ""]))
        script.chmod(0o755)
        return folder / "asked"

    return put


def test_without_credentials_gcloud_is_asked(gcloud, client, google, challenge):
    asked = gcloud(printed=google.token(challenge) + "\n")

    made = client(impersonate=ACCOUNT).get_caller_identity(challenge)

    assert made.fields == {"token": (asked.parent / "printed").read_text().strip()}
    assert asked.read_text().splitlines() == [
        "auth",
        "print-identity-token",
        f"--audiences={audience(challenge)}",
        "--include-email",
        "--quiet",
        f"--impersonate-service-account={ACCOUNT}",
    ]


def test_gcloud_says_itself_whom_it_impersonates(gcloud, client, google, challenge):
    asked = gcloud(printed=google.token(challenge))

    client().get_caller_identity(challenge)

    assert "impersonate" not in asked.read_text()


def test_a_gcloud_that_fails_without_a_word_is_said(gcloud, client, challenge):
    gcloud(status=1)

    with pytest.raises(NotSignedIn, match="gcloud did not say why"):
        client().get_caller_identity(challenge)


def test_a_gcloud_that_does_not_end_is_ended(gcloud, client, challenge, monkeypatch):
    monkeypatch.setattr(id_tokens, "_GCLOUD_SECONDS", 0.2)
    asked = gcloud()
    (asked.parent / "gcloud").write_text("#!/bin/sh\nexec sleep 5\n")

    with pytest.raises(NotSignedIn, match="gcloud did not end"):
        client().get_caller_identity(challenge)


def test_gcloud_reads_nothing_that_is_typed(gcloud, client, challenge):
    """A question of its own would wait for an answer that nobody sees."""
    asked = gcloud()
    (asked.parent / "gcloud").write_text('#!/bin/sh\ncat > "$(dirname "$0")/read"\n')
    typed, typing = os.pipe()
    os.write(typing, b"yes\n")
    os.close(typing)
    before = os.dup(0)
    os.dup2(typed, 0)
    try:
        with pytest.raises(NotSignedIn):
            client().get_caller_identity(challenge)
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(typed)

    assert (asked.parent / "read").read_bytes() == b""


def test_a_gcloud_that_cannot_be_run_is_said(gcloud, client, challenge):
    asked = gcloud()
    (asked.parent / "gcloud").write_text("#!/there/is/no/such/shell\n")

    with pytest.raises(NotSignedIn, match="No such file") as raised:
        client().get_caller_identity(challenge)

    assert raised.value.hint


def test_what_gcloud_says_in_no_letters_is_no_token(gcloud, client, challenge):
    asked = gcloud()
    (asked.parent / "printed").write_bytes(b"\xff\xfe")

    with pytest.raises(NotSignedIn, match="not for this sign-in alone"):
        client().get_caller_identity(challenge)


def test_what_gcloud_complains_of_is_said(gcloud, client, challenge):
    gcloud(error="WARNING: x\nERROR: (gcloud.auth) Invalid account type for `--audiences`.\nRun:\n", status=1)

    with pytest.raises(NotSignedIn, match="Invalid account type") as raised:
        client().get_caller_identity(challenge)

    assert "--impersonate-service-account" in raised.value.hint


def test_a_machine_with_neither_is_told_what_it_needs(machine, client, challenge, monkeypatch, tmp_path):
    machine(None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NotSignedIn, match="no credentials of Google, and no gcloud"):
        client(impersonate=ACCOUNT).get_caller_identity(challenge)
