"""TLS of our own making: pinned, renewed, and believed by nobody who did not pin it."""

from __future__ import annotations

import datetime as dt
import hashlib
import pathlib
import socket
import ssl
import threading

import pytest

from gpudev_sdk.errors import ConfigError
from gpudev_services.tls import client_context, ensure_certificates, login_line, pin_of, server_context

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
NAMES = ["lab.example", "127.0.0.1", "::1"]


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bytes:
    """Return the certificate (DER) that the client accepted."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            with server.wrap_socket(ours, server_side=True) as wrapped:
                wrapped.recv(1)
        except (ssl.SSLError, OSError):
            ours.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname=name) as wrapped:
            shown = wrapped.getpeercert(binary_form=True)
            wrapped.sendall(b"x")
            return shown or b""
    finally:
        theirs.close()
        thread.join(10)


@pytest.mark.parametrize("name", NAMES)
def test_who_pinned_the_authority_believes_every_name_of_the_server(tmp_path: pathlib.Path, name: str) -> None:
    made = ensure_certificates(tmp_path / "tls", NAMES)
    assert handshake(server_context(made), client_context(made.ca_pem), name)


def test_another_name_is_not_believed(tmp_path: pathlib.Path) -> None:
    made = ensure_certificates(tmp_path / "tls", NAMES)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(made), client_context(made.ca_pem), "evil.example")


def test_the_server_of_another_authority_is_not_believed(tmp_path: pathlib.Path) -> None:
    made, other = ensure_certificates(tmp_path / "tls", NAMES), ensure_certificates(tmp_path / "other", NAMES)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(other), client_context(made.ca_pem), "lab.example")


def test_the_pin_is_the_digest_of_the_authority(tmp_path: pathlib.Path) -> None:
    made = ensure_certificates(tmp_path / "tls", NAMES)
    der = ssl.PEM_cert_to_DER_cert(made.ca_pem.decode())
    assert made.pin == pin_of(made.ca_pem) == hashlib.sha256(der).hexdigest()
    assert login_line("https://lab.example:7070", made) == f"gpudev login https://lab.example:7070#sha256={made.pin}"


def test_asking_again_changes_nothing(tmp_path: pathlib.Path) -> None:
    made = ensure_certificates(tmp_path / "tls", NAMES)
    before = made.certificate.read_bytes()
    assert ensure_certificates(tmp_path / "tls", list(reversed(NAMES))) == made
    assert made.certificate.read_bytes() == before


def test_near_its_end_the_certificate_is_renewed_and_the_pin_stays(tmp_path: pathlib.Path) -> None:
    made = ensure_certificates(tmp_path / "tls", NAMES, NOW - 121 * DAY)
    before = made.certificate.read_bytes()
    ensure_certificates(tmp_path / "tls", NAMES, NOW - 2 * DAY)
    assert made.certificate.read_bytes() == before
    again = ensure_certificates(tmp_path / "tls", NAMES, NOW)
    assert again == made
    assert made.certificate.read_bytes() != before
    assert handshake(server_context(made), client_context(made.ca_pem), "lab.example")


def test_another_name_makes_another_certificate_of_the_same_authority(tmp_path: pathlib.Path) -> None:
    made = ensure_certificates(tmp_path / "tls", NAMES)
    again = ensure_certificates(tmp_path / "tls", ["new.example"])
    assert again.pin == made.pin
    assert handshake(server_context(again), client_context(made.ca_pem), "new.example")


def test_private_keys_are_readable_by_their_owner_only(tmp_path: pathlib.Path) -> None:
    ensure_certificates(tmp_path / "tls", NAMES)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()} == {0o600}
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("names", [[], [""], ["*"], ["la b"], ["https://lab"], ["lab:7070"], ["lab", "-x"]])
def test_what_is_no_name_is_refused_and_nothing_is_made(tmp_path: pathlib.Path, names: list[str]) -> None:
    with pytest.raises(ConfigError):
        ensure_certificates(tmp_path / "tls", names)
    assert not (tmp_path / "tls").exists()


@pytest.mark.parametrize("file", ["ca.pem", "server.pem"])
def test_a_damaged_file_is_said_and_kept(tmp_path: pathlib.Path, file: str) -> None:
    ensure_certificates(tmp_path / "tls", NAMES)
    (tmp_path / "tls" / file).write_bytes(b"rubbish")
    with pytest.raises(ConfigError, match=file):
        ensure_certificates(tmp_path / "tls", NAMES)
    assert (tmp_path / "tls" / file).read_bytes() == b"rubbish"


def test_an_authority_past_its_end_is_said(tmp_path: pathlib.Path) -> None:
    ensure_certificates(tmp_path / "tls", NAMES)
    with pytest.raises(ConfigError, match="expired"):
        ensure_certificates(tmp_path / "tls", NAMES, NOW + 3651 * DAY)
