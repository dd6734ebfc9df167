"""The challenge of a login."""

from __future__ import annotations

import base64
import datetime as dt

import attrs
import pytest

from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.ssh.login import check_challenge, issue_challenge, namespace, payload

SECRET = b"s" * 32
NOW = dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def test_a_challenge_holds_for_a_minute() -> None:
    challenge = issue_challenge(SECRET, NOW)
    assert challenge.expires_at == NOW + 60 * SECOND
    assert check_challenge(SECRET, challenge.nonce, NOW + 59 * SECOND) == challenge.expires_at


def test_no_two_challenges_are_the_same() -> None:
    assert len({issue_challenge(SECRET, NOW).nonce for _ in range(100)}) == 100


@pytest.mark.parametrize("later", [60 * SECOND, dt.timedelta(days=1), -61 * SECOND])
def test_a_challenge_of_another_minute_is_refused(later: dt.timedelta) -> None:
    with pytest.raises(NotSignedIn, match="too long"):
        check_challenge(SECRET, issue_challenge(SECRET, NOW).nonce, NOW + later)


def test_a_challenge_of_another_server_is_refused() -> None:
    with pytest.raises(NotSignedIn):
        check_challenge(b"t" * 32, issue_challenge(SECRET, NOW).nonce, NOW)


def test_every_changed_byte_is_noticed() -> None:
    raw = base64.urlsafe_b64decode(issue_challenge(SECRET, NOW).nonce)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(NotSignedIn):
            check_challenge(SECRET, base64.urlsafe_b64encode(changed).decode(), NOW)


@pytest.mark.parametrize("spelling", ["{}\n", " {}", "{}=", "{}====", "!{}", "{}A", "", "A"])
def test_a_challenge_has_one_spelling(spelling: str) -> None:
    with pytest.raises(NotSignedIn):
        check_challenge(SECRET, spelling.format(issue_challenge(SECRET, NOW).nonce), NOW)


def test_what_is_signed_depends_on_each_part_and_on_where_it_ends() -> None:
    one = attrs.evolve(issue_challenge(SECRET, NOW), nonce="ab", audience="c")
    other = attrs.evolve(one, nonce="a", audience="bc")
    assert len({payload(one, "d"), payload(other, "d"), payload(one, "e"), payload(one, "")}) == 4


def test_the_namespace_names_the_audience() -> None:
    assert namespace("https://lab:7070") == "gpudev-login@https://lab:7070"
