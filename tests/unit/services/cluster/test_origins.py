"""Which addresses of the API a login may be signed for, and what people are told of the gateway."""

from __future__ import annotations

import pytest

from gpudev_sdk.errors import InvalidRequest
from gpudev_services.cluster.first_secrets import Wanted, fresh, fresh_authority
from gpudev_services.cluster.fixed import read_fixed
from gpudev_services.cluster.parts import read
from gpudev_services.tls import ensure_certificates


@pytest.fixture
def given(tmp_path):
    """Return what makes the start of an API: `given(toml, secrets)`."""

    def make(text="", **more):
        folder = tmp_path / "secrets"
        folder.mkdir()
        for name, content in (fresh(Wanted(database="pg/gpudev")) | more).items():
            (folder / name).write_bytes(content)
        (tmp_path / "config.toml").write_text(text)
        return read(tmp_path / "config.toml", folder)

    return make


@pytest.fixture
def fixed_of(tmp_path):
    """Return what an API reads at its start."""
    return lambda parts, origins: read_fixed(parts, "0.0.0.0:7070", origins, tmp_path / "made")


def test_names_are_dialled_by_the_own_port_and_by_the_usual_one(fixed_of, given):
    fixed = fixed_of(given('names = ["lab.example"]'), ["https://gpu.example"])

    assert fixed.audiences == {"https://gpu.example:443", "https://lab.example:7070", "https://lab.example:443"}


def test_with_an_authority_of_ones_own_the_pin_is_part_of_it(fixed_of, given, tmp_path):
    made = ensure_certificates(tmp_path / "tls", ["lab.example"])
    pem = made.certificate.read_bytes()
    parts = given(**{"tls.crt": pem, "tls.key": pem, "ca.crt": made.ca_pem})

    fixed = fixed_of(parts, ["https://lab.example"])

    assert fixed.audiences == {"https://lab.example:443", f"https://lab.example:443#sha256={made.pin}"}


def test_with_an_authority_of_the_installs_own_the_machine_itself_may_be_dialled(fixed_of, given):
    fixed = fixed_of(given(**fresh_authority()), [])

    hosts = ("127.0.0.1", "localhost", "[::1]")
    plain = {f"https://{host}:{port}" for host in hosts for port in (7070, 443)}
    assert fixed.audiences == plain | {f"{origin}#sha256={fixed.shown.certificates.pin}" for origin in plain}
    assert fixed.ca_pem == (fixed.given.secrets.folder / "ca.crt").read_bytes()


def test_without_any_nobody_can_sign_in(fixed_of, given):
    assert fixed_of(given(), []).audiences == frozenset()


@pytest.mark.parametrize("origin", ["lab", "http://lab.example", "https://lab.example/path"])
def test_what_is_no_origin_is_refused_by_the_flags_name(fixed_of, given, origin):
    with pytest.raises(InvalidRequest, match="--public-origin"):
        fixed_of(given(), [origin])


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ('gateway = "ssh.example:22"', "ssh.example", 22),
        ('gateway = "0.0.0.0:7022"', None, 7022),
        ("", None, 7022),
    ],
)
def test_people_are_told_where_the_gateway_is_unless_it_is_where_the_api_is(fixed_of, given, text, host, port):
    view = fixed_of(given(text), []).gateway

    assert (view.host, view.port) == (host, port)
