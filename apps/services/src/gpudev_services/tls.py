"""TLS for listening wider than this machine, where the operator has no certificate: an own CA and a server certificate.

The CA is made once; people pin it. The server's certificate lasts months and is made anew, by the same CA, when its end is
near or the names change. A client verifies in two steps:

1. `GET ORIGIN/v1/ca.pem` over TLS *without* verification, nothing else sent on that connection;
2. `pin_of(pem)` (SHA-256 of the certificate's DER form, in hexadecimal) must equal the pin of `gpudev login`; then this CA
   is the only one trusted for every later connection, and host names are checked as usual.

The pin can be compared by hand: `openssl x509 -in ca.pem -noout -fingerprint -sha256`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import pathlib
import ssl
from collections.abc import Sequence

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gpudev_sdk.errors import ConfigError
from gpudev_sdk.ssh.audience import is_address, is_host
from gpudev_sdk.ssh.once import make_once, replace

CA_LASTS = dt.timedelta(days=3650)
SERVER_LASTS = dt.timedelta(days=180)
#: Renewed when less than this is left.
RENEW_BEFORE = dt.timedelta(days=60)
#: For clients whose clock is behind.
BACKDATED = dt.timedelta(days=1)


@attrs.frozen(kw_only=True)
class Certificates:
    """What a server listens with."""

    #: One 0600 file: the server's key, its certificate, and the CA's.
    certificate: pathlib.Path
    key: pathlib.Path
    #: The CA's certificate, for `GET /v1/ca.pem`.
    ca_pem: bytes
    #: SHA-256 of its DER form, in hexadecimal.
    pin: str


@attrs.frozen(kw_only=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = attrs.field(repr=False)

    def pem(self) -> bytes:
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + self.certificate.public_bytes(Encoding.PEM)


def pin_of(pem: bytes) -> str:
    """Return the pin of a CA's certificate: SHA-256 of its DER form, in hexadecimal."""
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


def end_of(certificates: Certificates) -> float | None:
    """Return until when the server's certificate is good, as a timestamp; None while its file cannot be read."""
    try:
        found = x509.load_pem_x509_certificate(certificates.certificate.read_bytes())
    except (OSError, ValueError):
        return None
    return found.not_valid_after_utc.timestamp()


def login_line(origin: str, certificates: Certificates) -> str:
    """Return what a person types on another machine."""
    return f"gpudev login {origin}#sha256={certificates.pin}"


def ensure_certificates(folder: pathlib.Path, names: Sequence[str], now: dt.datetime | None = None) -> Certificates:
    """Return certificates for these names, made or renewed where needed; asking again changes nothing.

    A running server that was given renewed files loads them with `reload`. Raises ConfigError for a name that is none and
    for files that are damaged.
    """
    moment = now or dt.datetime.now(dt.UTC)
    wanted = sorted({name.lower() for name in names})
    for name in wanted:
        if not is_host(name):
            raise ConfigError(f"{name!r} is not a host name or an address", hint='Write names = ["lab.example"].')
    if not wanted:
        raise ConfigError("the server has no name to be dialled by", hint='Write names = ["lab.example"].')
    ca_path, server_path = folder / "ca.pem", folder / "server.pem"
    ca = _read(ca_path, make_once(ca_path, lambda: _make_ca(moment).pem()))
    if ca.certificate.not_valid_after_utc <= moment:
        hint = f"Remove {folder}; everybody on other machines then logs in again with the new line."
        raise ConfigError("the server's own certificate authority has expired", hint=hint)
    if not server_path.exists() or not _still_good(_read(server_path, server_path.read_bytes()), ca, wanted, moment):
        ca_pem = ca.certificate.public_bytes(Encoding.PEM)
        replace(server_path, _make_server(ca, wanted, moment).pem() + ca_pem)
    pem = ca.certificate.public_bytes(Encoding.PEM)
    return Certificates(certificate=server_path, key=server_path, ca_pem=pem, pin=pin_of(pem))


def make_authority(now: dt.datetime | None = None) -> tuple[bytes, bytes]:
    """Return the certificate and the key of a fresh authority, both in PEM form; in one file `ca.pem`, the key is first."""
    made = _make_ca(now or dt.datetime.now(dt.UTC))
    certificate = made.certificate.public_bytes(Encoding.PEM)
    return certificate, made.pem().removesuffix(certificate)


def server_context(certificates: Certificates) -> ssl.SSLContext:
    """Return a context to listen with: TLS 1.2 and later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    reload(context, certificates)
    return context


def reload(context: ssl.SSLContext, certificates: Certificates) -> None:
    """Have a context in use hand out the files as they are now to whoever connects from now on."""
    context.load_cert_chain(certificates.certificate, certificates.key)


def client_context(ca_pem: bytes) -> ssl.SSLContext:
    """Return a context that trusts this CA and no other, and checks host names."""
    context = ssl.create_default_context(cadata=ca_pem.decode("ascii"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _read(path: pathlib.Path, pem: bytes) -> _Pair:
    try:
        key = load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} is damaged", hint="Put it back from a backup, or remove it to make another."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ConfigError(f"{path} holds a key and a certificate that do not belong together")
    return _Pair(certificate=certificate, key=key)


def _still_good(server: _Pair, ca: _Pair, names: Sequence[str], now: dt.datetime) -> bool:
    found = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    has = [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]
    return (
        sorted(has) == [str(ipaddress.ip_address(name)) if is_address(name) else name for name in names]
        and server.certificate.not_valid_after_utc - now > RENEW_BEFORE
        and server.certificate.not_valid_before_utc <= now
        and server.certificate.issuer == ca.certificate.subject
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    never = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **never)


def _make_ca(now: dt.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = _subject(f"gpudev {serial:x}"[:40])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + CA_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Pair(certificate=certificate, key=key)


def _make_server(ca: _Pair, names: Sequence[str], now: dt.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name) for name in names
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_subject(names[0][:64]))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(min(now + SERVER_LASTS, ca.certificate.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    return _Pair(certificate=certificate, key=key)
