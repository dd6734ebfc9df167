"""The host CA, as OpenSSH sees what it signs."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from gpudev_sdk.errors import ConfigError, InvalidRequest
from gpudev_sdk.ssh.ca import HostAuthority
from gpudev_sdk.ssh.keys import parse_public_key

NOON = 1_900_000_000


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> HostAuthority:
    return HostAuthority(tmp_path / "ssh", clock=lambda: NOON)


def fields_of(certificate: str, folder: pathlib.Path) -> dict[str, str]:
    (folder / "c-cert.pub").write_text(certificate)
    command = ["env", "TZ=UTC", "ssh-keygen", "-L", "-f", str(folder / "c-cert.pub")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    return {name.strip(): value.strip() for name, _, value in (line.partition(": ") for line in lines)}


def test_a_host_certificate_holds_for_a_day_and_for_every_name(
    authority: HostAuthority, tmp_path: pathlib.Path
) -> None:
    _, public = authority.new_host_key()
    shown = fields_of(authority.sign_host_key(public, 7), tmp_path)
    assert shown["Type"] == "ssh-ed25519-cert-v01@openssh.com host certificate"
    assert shown["Serial"] == "7"
    assert shown["Principals"] == "(none)"
    assert shown["Valid"] == "from 2030-03-17T15:46:40 to 2030-03-18T17:46:40"
    assert parse_public_key(authority.public_line).fingerprint in shown["Signing CA"]


def test_a_private_host_key_belongs_to_its_public_line(authority: HostAuthority, tmp_path: pathlib.Path) -> None:
    private, public = authority.new_host_key()
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(private)
    shown = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    assert parse_public_key(shown).line == parse_public_key(public).line


def test_every_host_key_is_another(authority: HostAuthority) -> None:
    assert authority.new_host_key() != authority.new_host_key()


def test_the_keys_stay_over_a_restart(authority: HostAuthority, tmp_path: pathlib.Path) -> None:
    again = HostAuthority(tmp_path / "ssh")
    assert again.public_line == authority.public_line
    assert again.gateway_public_line == authority.gateway_public_line
    assert authority.public_line != authority.gateway_public_line


def test_the_keys_are_readable_by_their_owner_only(authority: HostAuthority, tmp_path: pathlib.Path) -> None:
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "ssh").iterdir()} == {
        "host_ca": 0o600,
        "gateway_host_key": 0o600,
    }
    assert (tmp_path / "ssh").stat().st_mode & 0o777 == 0o700
    assert authority.gateway_key().parent == tmp_path / "ssh"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_is_never_replaced(authority: HostAuthority, tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "ssh" / "host_ca"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        HostAuthority(tmp_path / "ssh")
    assert path.read_bytes() == content


def test_a_key_that_others_can_read_is_refused(authority: HostAuthority, tmp_path: pathlib.Path) -> None:
    authority.gateway_key().chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        HostAuthority(tmp_path / "ssh")


def test_only_a_public_key_is_signed(authority: HostAuthority) -> None:
    with pytest.raises(InvalidRequest):
        authority.sign_host_key("not a key", 1)


def test_a_certificate_is_known_to_be_of_this_authority_or_of_another(
    authority: HostAuthority, tmp_path: pathlib.Path
) -> None:
    _, public = authority.new_host_key()
    (tmp_path / "other").mkdir(mode=0o700)
    other = HostAuthority(tmp_path / "other")
    assert authority.has_signed(authority.sign_host_key(public, 1))
    assert not authority.has_signed(other.sign_host_key(public, 1))
    assert not authority.has_signed(public)
    assert not authority.has_signed("nothing")
