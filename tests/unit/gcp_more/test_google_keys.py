"""Google's keys: kept, fetched anew, and what an address may answer instead of them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gzip
import json
import socket
import threading

import pytest

from gpudev_gcp import google_keys
from gpudev_gcp.google_keys import ASKED_AGAIN, FAILED_AGAIN, GoogleKeys, read_keys
from gpudev_sdk.domain.user import Credentials
from gpudev_sdk.errors import NotSignedIn, TryLater
from tests.unit.gcp_more.google import ACCOUNT, encode, jwk, rsa_key
from tests.unit.gcp_more.web import Reply, Web


@pytest.fixture
def elsewhere():
    """Return another server, which nobody should ask."""
    made = Web()
    yield made
    made.close()


@pytest.fixture
def sign_in(google, server, challenge):
    def attempt(kid: str = "first", number: int = 1):
        token = google.token(challenge, header={"kid": kid}, key=rsa_key(number))
        return server.verify_credentials(Credentials(provider="gcp", fields={"token": token}), challenge)

    return attempt


def test_keys_are_fetched_once_for_many_logins(google, sign_in, ticking):
    for _ in range(3):
        sign_in()

    assert google.fetches == 1


def test_keys_are_fetched_again_when_their_life_is_over(google, sign_in, ticking):
    google.life = "public, max-age=600"
    sign_in()
    ticking[0] += 599
    sign_in()
    assert google.fetches == 1

    ticking[0] += 2
    sign_in()

    assert google.fetches == 2


@pytest.mark.parametrize(
    ("life", "held"),
    [("max-age=0", 300), ("max-age=99999999", 86400), ("", 3600), ("s-maxage=9", 3600), ("Max-Age=600", 600)],
)
def test_keys_live_neither_a_moment_nor_for_ever(google, sign_in, ticking, life, held):
    google.life = life
    sign_in()
    ticking[0] += held - 1
    sign_in()
    assert google.fetches == 1

    ticking[0] += 2
    sign_in()

    assert google.fetches == 2


def test_a_new_key_is_found_when_it_signs_first(google, sign_in, ticking):
    sign_in()
    google.keys = {"second": rsa_key(2)}
    ticking[0] += ASKED_AGAIN

    sign_in("second", 2)

    assert google.fetches == 2


def test_bad_logins_do_not_have_keys_fetched_each_time(google, sign_in, ticking):
    sign_in()
    ticking[0] += ASKED_AGAIN
    for number in range(20):
        with pytest.raises(NotSignedIn):
            sign_in(f"made-up-{number}")

    assert google.fetches == 2


def test_who_needs_no_new_key_does_not_wait_for_one(google, sign_in, ticking):
    """Somebody presents a made-up key while Google does not answer."""
    sign_in()
    ticking[0] += ASKED_AGAIN
    answered = threading.Event()

    def pieces():
        answered.wait()
        yield b""

    google.bent = Reply(pieces=pieces())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(sign_in, "made-up")
        while google.fetches < 2:
            assert not waiting.done()

        sign_in()

        assert not waiting.done()
        answered.set()
        with pytest.raises(TryLater):
            waiting.result()


class Counted:
    """A lock that says how many came to it."""

    def __init__(self):
        self.came, self.lock = [], threading.Lock()

    def __enter__(self):
        self.came.append(self)
        return self.lock.__enter__()

    def __exit__(self, *how):
        return self.lock.__exit__(*how)


def test_many_who_come_at_once_have_the_keys_fetched_once(google, server, sign_in):
    server._keys._fetching = counted = Counted()
    answered = threading.Event()

    def pieces():
        answered.wait()
        yield json.dumps(google.key_set()).encode()

    google.bent = Reply(pieces=pieces())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = [pool.submit(sign_in) for _ in range(2)]
        while len(counted.came) < 2 and google.fetches < 2:
            assert not any(each.done() for each in waiting)
        answered.set()

        assert [each.result().display for each in waiting] == [ACCOUNT] * 2
    assert google.fetches == 1


def test_a_key_that_google_took_away_signs_nothing_any_more(google, sign_in, ticking):
    sign_in()
    google.keys = {"second": rsa_key(2)}
    ticking[0] += 19001

    with pytest.raises(NotSignedIn):
        sign_in()


def test_a_key_by_the_id_of_another_proves_nothing(google, sign_in):
    google.keys["second"] = rsa_key(2)

    with pytest.raises(NotSignedIn):
        sign_in("second", 1)


BENT = {
    "trouble": Reply(status=503),
    "not there": Reply(status=404),
    "no content": Reply(status=204),
    "a part of it": Reply.of({"keys": [jwk("first", rsa_key(1))]}, 206),
    "html": Reply(body=b"<html>Sign in to the network</html>", headers={"Content-Type": "text/html"}),
    "nothing": Reply(),
    "no keys": Reply.of({"keys": []}),
    "a list": Reply.of([]),
    "a number of keys": Reply.of({"keys": 1}),
    "a key of nothing": Reply.of({"keys": [{"kid": "first", "kty": "RSA"}]}),
    "a key that is no number": Reply.of({"keys": [jwk("first", rsa_key(1)) | {"n": "%%"}]}),
    "an even exponent": Reply.of({"keys": [jwk("first", rsa_key(1)) | {"e": encode(b"\x02")}]}),
    "nesting": Reply(body=b"[" * 60000),
}


@pytest.mark.parametrize("reply", BENT.values(), ids=BENT)
def test_what_is_no_keys_is_try_later_and_not_a_no(google, sign_in, reply):
    google.bent = reply

    with pytest.raises(TryLater, match="keys cannot be had"):
        sign_in()


def test_no_redirect_is_followed(google, sign_in):
    google.bent = Reply(status=302, headers={"Location": google.web.address + "/elsewhere"})

    with pytest.raises(TryLater, match="302"):
        sign_in()

    assert [asked.target for asked in google.web.asked] == ["/oauth2/v3/certs"]


def test_ten_megabytes_are_not_read(google, sign_in):
    sent = []

    def pieces():
        yield b'{"keys": ['
        for number in range(1000):
            sent.append(number)
            yield b" " * 10_000

    google.bent = Reply(pieces=pieces())

    with pytest.raises(TryLater, match="too much"):
        sign_in()


def test_an_answer_that_drips_is_given_up(google, sign_in, monkeypatch):
    monkeypatch.setattr(google_keys, "_ALL_SECONDS", 0.3)

    def pieces():
        for _ in range(100):
            if not google.web.closing.wait(0.02):
                yield b" "

    google.bent = Reply(pieces=pieces())

    with pytest.raises(TryLater, match="too slowly"):
        sign_in()


def test_a_head_that_drips_is_given_up_as_well(monkeypatch):
    monkeypatch.setattr(google_keys, "_ALL_SECONDS", 0.3)
    over = threading.Event()

    def answer(listening):
        there, _ = listening.accept()
        with there, contextlib.suppress(OSError):
            there.sendall(b"HTTP/1.1 200 OK\r\n")
            while not over.wait(0.02):
                there.sendall(b"X-More: of it\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening, concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(answer, listening)
        try:
            with pytest.raises(TryLater, match="too slowly"):
                GoogleKeys(f"http://127.0.0.1:{listening.getsockname()[1]}/").find("first")
        finally:
            over.set()


def test_what_comes_packed_is_not_unpacked(google, sign_in):
    """A thousandth of what it would be comes over the wire."""
    google.bent = Reply(body=gzip.compress(json.dumps(google.key_set()).encode()), headers={"Content-Encoding": "gzip"})

    with pytest.raises(TryLater, match="something else"):
        sign_in()

    assert google.web.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_keys_are_asked_of_nobody_that_the_environment_names(google, elsewhere, sign_in, monkeypatch, name):
    """Whoever says what the keys are says who everybody is."""
    monkeypatch.setenv(name, elsewhere.address)

    sign_in()

    assert elsewhere.asked == []


def test_an_answer_that_does_not_come_is_given_up(google, sign_in, monkeypatch):
    monkeypatch.setattr(google_keys, "_READ_SECONDS", 0.2)

    def pieces():
        google.web.closing.wait(2.0)
        yield b""

    google.bent = Reply(pieces=pieces())

    with pytest.raises(TryLater, match="ReadTimeout"):
        sign_in()


def test_nobody_at_the_address_is_try_later():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        keys = GoogleKeys(f"http://127.0.0.1:{taken.getsockname()[1]}/")

        with pytest.raises(TryLater, match="ConnectError"):
            keys.find("first")


def test_after_a_failure_the_next_ones_do_not_wait_for_another(google, sign_in, ticking):
    google.bent = Reply(status=503)
    for _ in range(5):
        with pytest.raises(TryLater):
            sign_in()
    assert google.fetches == 1

    google.bent = None
    ticking[0] += FAILED_AGAIN
    sign_in()

    assert google.fetches == 2


def test_keys_whose_life_is_over_are_not_used_when_new_ones_cannot_be_had(google, sign_in, ticking):
    sign_in()
    google.bent = Reply(status=503)
    ticking[0] += 19001

    with pytest.raises(TryLater):
        sign_in()


def test_a_key_of_another_kind_takes_no_keys_place_by_having_its_id():
    good = jwk("good", rsa_key(1))
    others = [good | {"use": "enc"}, {"kid": "good", "kty": "EC"}]

    for listed in ([good, *others], [*others, good]):
        found = read_keys(json.dumps({"keys": listed}).encode())["good"]
        assert found.public_numbers() == rsa_key(1).public_key().public_numbers()


def test_a_key_need_not_say_what_it_is_for():
    for name in ("alg", "use"):
        plain = jwk("plain", rsa_key(1))
        del plain[name]
        assert set(read_keys(json.dumps({"keys": [plain]}).encode())) == {"plain"}


def test_keys_of_another_kind_are_left_out_and_the_others_kept():
    good = jwk("good", rsa_key(1))
    others = [
        jwk("weak", rsa_key(3, 1024)),
        good | {"kid": "for-encryption", "use": "enc"},
        good | {"kid": "another-way", "alg": "RS512"},
        {"kid": "curve", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA"},
        good | {"kid": 7},
        good | {"kid": ["good"]},
        "not a key",
    ]

    assert set(read_keys(json.dumps({"keys": [*others, good]}).encode())) == {"good"}
