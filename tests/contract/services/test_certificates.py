"""An API that makes its certificates itself, with the authority of its install: what people pin, and what they may dial."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from gpudev_sdk.errors import ConfigError
from gpudev_services.cluster.certificates import shown
from gpudev_services.cluster.first_secrets import fresh_authority
from gpudev_services.cluster.secrets import Secrets
from gpudev_services.tls import pin_of
from tests.contract.services.apart import Person

AUTHORITY = fresh_authority()
WITH_AUTHORITY = {"tls.crt": None, "tls.key": None, **AUTHORITY}


def folder(path, **content):
    path.mkdir()
    for name, value in content.items():
        (path / name).write_bytes(value)
    return Secrets(path)


def names(certificates):
    found = x509.load_pem_x509_certificate(certificates.certificate.read_bytes()).extensions
    alternatives = found.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        *alternatives.get_values_for_type(x509.DNSName),
        *map(str, alternatives.get_values_for_type(x509.IPAddress)),
    }


def test_two_apis_of_an_install_show_certificates_of_one_authority(tmp_path):
    secrets = folder(tmp_path / "secrets", **AUTHORITY)
    one, two = (shown(secrets, tmp_path / name, ["a.example"]).certificates for name in ("one", "two"))

    assert one.pin == two.pin == pin_of(AUTHORITY["ca.crt"])
    assert one.certificate.read_bytes() != two.certificate.read_bytes()


def test_a_certificate_is_made_again_by_the_same_authority_when_its_end_is_near(tmp_path, monkeypatch):
    made = shown(folder(tmp_path / "secrets", **AUTHORITY), tmp_path / "made", ["a.example"])
    before = made.certificates.certificate.read_bytes()
    made.renew()
    assert made.certificates.certificate.read_bytes() == before

    monkeypatch.setattr("gpudev_services.tls.RENEW_BEFORE", dt.timedelta(days=400))
    made.renew()

    assert made.certificates.certificate.read_bytes() != before


def test_another_authority_in_the_secret_makes_another_certificate_in_a_folder_that_is_kept(tmp_path):
    before = shown(folder(tmp_path / "one", **AUTHORITY), tmp_path / "made", ["a.example"]).certificates
    kept = before.certificate.read_bytes()

    after = shown(folder(tmp_path / "two", **fresh_authority()), tmp_path / "made", ["a.example"]).certificates

    assert after.pin != before.pin
    assert after.certificate.read_bytes() != kept


def test_a_certificate_that_is_mounted_is_taken_before_an_authority(tmp_path):
    made = shown(folder(tmp_path / "own", **AUTHORITY), tmp_path / "made", ["a.example"]).certificates
    pem = made.certificate.read_bytes()

    secrets = folder(tmp_path / "both", **AUTHORITY, **{"tls.crt": pem, "tls.key": pem})

    assert shown(secrets, tmp_path / "other", ["a.example"]).certificates.certificate == secrets.folder / "tls.crt"
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["tls.crt", "tls.key"])
def test_half_of_a_mounted_certificate_is_refused_even_beside_an_authority(tmp_path, name):
    secrets = folder(tmp_path / "secrets", **AUTHORITY, **{name: b"x"})

    with pytest.raises(ConfigError, match=r"tls.crt and .*tls.key cannot be used"):
        shown(secrets, tmp_path / "made", ["a.example"])


@pytest.mark.parametrize("changed", [{"ca.key": b"rubbish"}, {"ca.crt": b""}, {"ca.key": fresh_authority()["ca.key"]}])
def test_an_authority_that_is_none_is_named_with_the_next_step(tmp_path, changed):
    secrets = folder(tmp_path / "secrets", **(AUTHORITY | changed))

    with pytest.raises(ConfigError, match=r"secrets/ca.crt and ca.key cannot be used") as caught:
        shown(secrets, tmp_path / "made", ["a.example"])
    assert "Remove the Secret" in caught.value.hint


def test_a_person_signs_in_by_a_pin_and_no_certificate_made_by_hand(apart):
    """As in a cluster: what is dialled is a port-forward, which no option names."""
    service = apart.service("own", "api", secrets=apart.folder_of("api", **WITH_AUTHORITY))
    at = service.command.index("--public-origin")
    del service.command[at : at + 2]
    service.start()
    try:
        apart.until_ready(service)
        person = Person(apart.root, "lee")
        person.make_key()
        assert apart.run("admin-user", "lee", "--key", f"{person.key}.pub").returncode == 0
        pin = pin_of(AUTHORITY["ca.crt"]).upper()

        for host in ("127.0.0.1", "localhost"):
            address = f"https://{host}:{service.ports['api']}"
            person.cli("login", f"{address}#sha256={pin}", "--key", str(person.key))
            assert person.json("whoami")["user"] == "lee"
        assert "gpudev_certificate_expiry_timestamp_seconds" in apart.get(service, "/metrics")[1]
    finally:
        service.kill()


def test_the_names_of_a_certificate_are_those_by_which_people_dial(tmp_path, apart):
    from gpudev_services.cluster.fixed import read_fixed
    from gpudev_services.cluster.parts import read

    config = apart.root / "named.toml"
    config.write_text('names = ["gpu-dev-api.gpu.svc", "2001:db8::1"]\n' + apart.config.read_text())
    given = read(config, apart.folder_of("api", **WITH_AUTHORITY))

    fixed = read_fixed(given, "0.0.0.0:7070", ["https://gpus.example:8443"], tmp_path / "tls")

    assert names(fixed.shown.certificates) == {
        "gpu-dev-api.gpu.svc", "2001:db8::1", "gpus.example", "127.0.0.1", "localhost", "::1",
    }  # fmt: skip
    pin = f"#sha256={fixed.shown.certificates.pin}"
    for origin in (
        "gpu-dev-api.gpu.svc:443",
        "[2001:db8::1]:7070",
        "gpus.example:8443",
        "127.0.0.1:7070",
        "[::1]:7070",
    ):
        assert {f"https://{origin}", f"https://{origin}{pin}"} <= fixed.audiences
