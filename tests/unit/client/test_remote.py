"""The way to other machines: the pinned authority alone is believed, and tokens go nowhere else."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.server
import ipaddress
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gpudev_sdk.client import remote
from gpudev_sdk.client.api import Api
from gpudev_sdk.client.connecting import remote_transport
from gpudev_sdk.client.installs import Install
from gpudev_sdk.client.origins import Origin
from gpudev_sdk.errors import NotAllowed, ServerUnreachable, Unavailable
from gpudev_sdk.wire.account_views import MeView

NOW = dt.datetime.now(dt.UTC)


def _certificate(name: str, issuer=None, *, ca: bool = False):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer, by = issuer if issuer else (key, subject)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(NOW - dt.timedelta(days=1))
        .not_valid_after(NOW + dt.timedelta(days=1)).add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
        .add_extension(_usage(ca=ca), True)
    )  # fmt: skip
    return builder.sign(signer, hashes.SHA256()), key, subject


def _usage(*, ca: bool) -> x509.KeyUsage:
    never = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **dict.fromkeys(never, False))


class Lab:
    """A server with TLS and an authority of its own."""

    def __init__(self, folder) -> None:
        ca, ca_key, ca_name = _certificate("the CA", ca=True)
        leaf, leaf_key, _ = _certificate("lab", (ca_key, ca_name))
        self.ca_pem = ca.public_bytes(serialization.Encoding.PEM)
        self.pin = hashlib.sha256(ca.public_bytes(serialization.Encoding.DER)).hexdigest()
        self.seen: list[tuple[str, str | None]] = []
        self.answer = (200, b"{}", {})
        file = folder / "leaf.pem"
        plain = serialization.NoEncryption()
        pem = leaf_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        file.write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.handle_error = lambda request, address: None
        self.origin = Origin(f"https://127.0.0.1:{self.server.server_port}", self.pin)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def _handler(self):
        lab = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lab.seen.append((self.path, self.headers.get("authorization")))
                status, body, headers = (200, lab.ca_pem, {}) if self.path == "/v1/ca.pem" else lab.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format, *args) -> None:
                """Say nothing."""

        return Handler

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def lab(room):
    made = Lab(room)
    yield made
    made.stop()


def _ask(places, origin: Origin):
    transport = remote_transport(places, Install(name="lab", origin=origin))
    try:
        return Api(transport, lambda: "gpd_secret", timeout=5).get("/me", MeView)
    finally:
        transport.close()


ME = b'{"user":"kim","is_admin":false,"local":false,"keys":1,"live_reservations":0,"live_gpus":0,"max_reservations":9}'


def test_the_pinned_authority_is_fetched_checked_and_kept(lab, places):
    lab.answer = (200, ME, {"Content-Type": "application/json"})
    for _ in range(2):
        assert _ask(places, lab.origin).user == "kim"

    assert lab.seen == [("/v1/ca.pem", None), *[("/v1/me", "Bearer gpd_secret")] * 2]


def test_another_authority_than_the_pinned_is_refused_before_any_token_is_sent(lab, places):
    with pytest.raises(NotAllowed, match="does not show the certificate"):
        _ask(places, lab.origin._replace(pin="ab" * 32))
    assert lab.seen == [("/v1/ca.pem", None)]


def test_a_server_with_a_new_authority_gets_no_token(lab, places, room):
    lab.answer = (200, ME, {"Content-Type": "application/json"})
    _ask(places, lab.origin)
    (room / "second").mkdir()
    other = Lab(room / "second")
    try:
        with pytest.raises(ServerUnreachable, match="cannot prove"):
            _ask(places, Origin(other.origin.url, lab.pin))
    finally:
        other.stop()
    assert other.seen == []


def test_a_certificate_of_nobody_is_refused_without_a_pin(lab, places):
    with pytest.raises(ServerUnreachable, match="cannot prove"):
        _ask(places, Origin(lab.origin.url))
    assert lab.seen == []


def test_a_damaged_kept_authority_is_fetched_anew(lab, places):
    lab.answer = (200, ME, {"Content-Type": "application/json"})
    _ask(places, lab.origin)
    next((places.config / "ca").iterdir()).write_bytes(b"damaged")

    assert _ask(places, lab.origin).user == "kim"


def test_a_redirect_is_not_followed(lab, places):
    lab.answer = (302, b"", {"Location": f"{lab.origin.url}/v1/elsewhere"})

    with pytest.raises(Unavailable):
        _ask(places, lab.origin)
    assert [path for path, _ in lab.seen] == ["/v1/ca.pem", "/v1/me"]


def test_a_host_that_is_not_there_is_said_with_a_next_step(places):
    with pytest.raises(ServerUnreachable) as caught:
        _ask(places, Origin("https://127.0.0.1:9"))
    assert caught.value.hint


def test_half_an_answer_is_a_broken_connection(lab, places):
    lab.answer = (200, ME[:20], {"Content-Type": "application/json", "Content-Encoding": "gzip"})

    with pytest.raises(Unavailable) as caught:
        _ask(places, lab.origin)
    assert caught.value.hint


def test_nothing_but_a_certificate_is_taken_for_one(lab):
    lab.ca_pem = b"<html>"

    with pytest.raises(NotAllowed, match="no authority of its own") as caught:
        remote.fetch_ca(lab.origin)
    assert "ends TLS" in caught.value.hint
