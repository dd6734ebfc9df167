"""The client's ssh configuration as text."""

from __future__ import annotations

import pathlib

import attrs
import pytest

from gpudev_sdk.errors import ConfigError, InvalidRequest
from gpudev_sdk.ssh.config import MAX_CONTROL_FOLDER, SshBox, SshInstall, box_alias, known_hosts, render, render_all

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICrmz4pTqlLYEaqa6WZmwUvnC4mDbYrkKNcnmYPDCl3F"
CA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIiMeFRhNk8VA6uPRAOvGCV6gnf9/tUIUx0qDFLc+2vy"
INSTALL = SshInstall(
    gateway_host="Lab.Example",
    gateway_port=7022,
    gateway_key=f"{KEY} gateway",
    host_ca=CA,
    known_hosts=pathlib.Path("/home/kim/.config/gpudev/ssh/known_hosts"),
)

EXPECTED = """\
Host gateway.gpudev
  HostName lab.example
  Port 7022
  User gpudev
  HostKeyAlias gateway.gpudev
  UserKnownHostsFile "/home/kim/.config/gpudev/ssh/known_hosts"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  CheckHostIP no
  UpdateHostKeys no
  PreferredAuthentications publickey
  IdentitiesOnly no
  ForwardAgent no
  ForwardX11 no
  ServerAliveInterval 15
  ServerAliveCountMax 4
  ControlMaster no
  ControlPath none

Host work.gpudev
  HostName work.gpudev
  ForwardAgent yes

Host work.lou.gpudev
  HostName work.lou.gpudev

Host *.gpudev !gateway.gpudev !*.lab.gpudev
  ProxyJump gateway.gpudev
  User dev
  UserKnownHostsFile "/home/kim/.config/gpudev/ssh/known_hosts"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  CheckHostIP no
  UpdateHostKeys no
  PreferredAuthentications publickey
  IdentitiesOnly no
  ForwardAgent no
  ForwardX11 no
  ServerAliveInterval 15
  ServerAliveCountMax 4
  ControlMaster no
  ControlPath none
"""


def test_the_whole_of_an_install() -> None:
    boxes = [SshBox(name="work", forward_agent=True), SshBox(name="work.lou", forward_agent=True)]
    assert render(INSTALL, boxes, ["lab"]) == EXPECTED


def test_the_keys_to_believe() -> None:
    assert known_hosts(INSTALL).splitlines()[1:] == [
        f"gateway.gpudev {KEY}",
        f"@cert-authority *.gpudev,!gateway.gpudev {CA}",
    ]


def test_a_second_install_has_its_alias_in_every_name() -> None:
    second = attrs.evolve(INSTALL, alias="lab")
    text = render(second, [SshBox(name="work")])
    assert [line for line in text.splitlines() if line.startswith("Host ")] == [
        "Host gateway.lab.gpudev",
        "Host work.lab.gpudev",
        "Host *.lab.gpudev !gateway.lab.gpudev",
    ]
    assert "HostName work.gpudev" in text
    assert box_alias(second, "work.lou") == "work.lou.lab.gpudev"


def test_installs_with_an_alias_come_before_the_one_without() -> None:
    text = render_all([(INSTALL, []), (attrs.evolve(INSTALL, alias="lab"), [])])
    assert text.index("*.lab.gpudev") < text.index("Host *.gpudev")


def test_two_installs_never_share_names() -> None:
    with pytest.raises(ConfigError):
        render_all([(INSTALL, []), (INSTALL, [])])


def test_shared_connections_of_two_installs_are_kept_apart() -> None:
    one = attrs.evolve(INSTALL, control_folder=pathlib.Path("/run/c"))
    paths = {
        line
        for install in (one, attrs.evolve(one, alias="lab"))
        for line in render(install, []).splitlines()
        if line.startswith('  ControlPath "')
    }
    assert len(paths) == 2


@pytest.mark.parametrize(
    "host",
    [
        "",
        "lab\n  ProxyCommand touch /tmp/x",
        "lab ProxyCommand",
        "-oProxyCommand=id",
        "lab;id",
        "$(id)",
        "`id`",
        '"lab"',
        "lab\\",
        "lab%h",
        "läb",
        "a" * 64,
        "::1%lo",
        "lab.",
        "lab\n",
        "lab\r",
        "lab\0",
        "*",
    ],
)
def test_a_hostile_gateway_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest):
        render(attrs.evolve(INSTALL, gateway_host=host), [])


@pytest.mark.parametrize("port", [0, -1, 65536, True, "22", "22\n  ProxyCommand id", 22.0])
def test_a_hostile_port_is_refused(port: object) -> None:
    with pytest.raises(InvalidRequest):
        render(attrs.evolve(INSTALL, gateway_port=port), [])


@pytest.mark.parametrize("key", ["", f"{KEY}\n* {CA}", f"@revoked {KEY}", f"*.example.org {KEY}", "ssh-ed25519 x"])
@pytest.mark.parametrize("field", ["gateway_key", "host_ca"])
def test_a_hostile_key_line_is_refused(field: str, key: str) -> None:
    with pytest.raises(InvalidRequest):
        known_hosts(attrs.evolve(INSTALL, **{field: key}))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "work\n  ProxyCommand id",
        "work *",
        "*",
        "!work",
        "work.lou.more",
        "work..lou",
        ".lou",
        "WORK",
        "wörk",
        "work\n",
        "a" * 41,
        "gateway",
        '"work"',
        "work%h",
        "..",
    ],
)
def test_a_hostile_box_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        render(INSTALL, [SshBox(name=name)])


@pytest.mark.parametrize("alias", ["", "gateway", "a.b", "*", "lab\n", "LAB", "a" * 41])
def test_a_hostile_alias_is_refused(alias: str) -> None:
    with pytest.raises(InvalidRequest):
        render(attrs.evolve(INSTALL, alias=alias), [])
    with pytest.raises(InvalidRequest):
        render(INSTALL, [], [alias] if alias != "gateway" else ["*"])


@pytest.mark.parametrize("path", ['/home/"kim"/k', "/home/k\n/k", "/home/${HOME}/k", "relative/k", "/home/k\\/k"])
def test_a_path_that_cannot_be_written_is_refused(path: str) -> None:
    with pytest.raises(ConfigError):
        render(attrs.evolve(INSTALL, known_hosts=pathlib.Path(path)), [])


def test_what_ssh_expands_in_a_path_is_escaped() -> None:
    text = render(attrs.evolve(INSTALL, identity_file=pathlib.Path("/home/a b/100%/key")), [])
    assert '  IdentityFile "/home/a b/100%%/key"' in text


def test_a_folder_too_long_for_sockets_is_refused() -> None:
    longest = pathlib.Path("/" + "c" * (MAX_CONTROL_FOLDER - 1))
    render(attrs.evolve(INSTALL, control_folder=longest), [])
    with pytest.raises(ConfigError):
        render(attrs.evolve(INSTALL, control_folder=pathlib.Path(f"{longest}c")), [])
