"""The client's configuration, read back by the system's ssh."""

from __future__ import annotations

import pathlib
import subprocess

import attrs
import pytest

from gpudev_sdk.ssh import files
from gpudev_sdk.ssh.ca import HostAuthority
from gpudev_sdk.ssh.config import SshBox, SshInstall, known_hosts, render_all


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "a b" / "100%"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def install(folder: pathlib.Path, tmp_path: pathlib.Path) -> SshInstall:
    authority = HostAuthority(tmp_path / "authority")
    return SshInstall(
        gateway_host="Lab.example",
        gateway_port=7022,
        gateway_key=authority.gateway_public_line,
        host_ca=authority.public_line,
        known_hosts=folder / "known_hosts",
        identity_file=folder / "key",
        control_folder=files.control_folder(folder),
    )


def asked(config: pathlib.Path, host: str) -> dict[str, list[str]]:
    command = ["ssh", "-G", "-F", str(config), host]
    found: dict[str, list[str]] = {}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def config(folder: pathlib.Path, install: SshInstall) -> pathlib.Path:
    second = attrs.evolve(install, alias="lab", gateway_host="2001:db8::1", identity_file=None)
    boxes = [SshBox(name="work", forward_agent=True), SshBox(name="work.kim", forward_agent=True)]
    files.write(folder / "config", render_all([(install, boxes), (second, boxes)]))
    return folder / "config"


def test_the_gateway_is_dialled_directly_by_its_own_key(
    config: pathlib.Path, folder: pathlib.Path, install: SshInstall
) -> None:
    found = asked(config, "gateway.gpudev")
    assert "proxyjump" not in found
    assert (found["hostname"], found["port"], found["user"]) == (["lab.example"], ["7022"], ["gpudev"])
    assert found["hostkeyalias"] == ["gateway.gpudev"]
    assert found["stricthostkeychecking"] == ["true"]
    assert found["identityfile"] == [str(folder / "key").replace("%", "%%")]
    assert found["controlmaster"] == ["false"]
    assert asked(config, "gateway.lab.gpudev")["hostname"] == ["2001:db8::1"]


@pytest.mark.parametrize(
    ("host", "hostname", "jump"),
    [
        ("work.gpudev", "work.gpudev", "gateway.gpudev"),
        ("new.gpudev", "new.gpudev", "gateway.gpudev"),
        ("work.kim.gpudev", "work.kim.gpudev", "gateway.gpudev"),
        ("work.lab.gpudev", "work.gpudev", "gateway.lab.gpudev"),
        ("new.lab.gpudev", "new.lab.gpudev", "gateway.lab.gpudev"),
        ("work.kim.lab.gpudev", "work.kim.gpudev", "gateway.lab.gpudev"),
    ],
)
def test_a_box_is_reached_through_its_own_gateway(config: pathlib.Path, host: str, hostname: str, jump: str) -> None:
    found = asked(config, host)
    assert (found["hostname"], found["proxyjump"], found["user"]) == ([hostname], [jump], ["dev"])
    assert found["stricthostkeychecking"] == ["true"]
    assert "hostkeyalias" not in found


def test_the_agent_goes_only_into_ones_own_box_that_asked_for_it(config: pathlib.Path) -> None:
    hosts = ["work.gpudev", "new.gpudev", "work.kim.gpudev", "gateway.gpudev"]
    assert [asked(config, host)["forwardagent"] for host in hosts] == [["yes"], ["no"], ["no"], ["no"]]


def test_two_installs_share_no_connection(config: pathlib.Path) -> None:
    first, second = (asked(config, host)["controlpath"] for host in ("work.gpudev", "work.lab.gpudev"))
    assert first != second
    assert all(len(path) + len(".0123456789abcdef") <= 107 for path in (*first, *second))


def test_a_key_of_one_install_is_not_offered_to_another(config: pathlib.Path) -> None:
    assert not any("100" in path for path in asked(config, "work.lab.gpudev")["identityfile"])


def test_settings_of_the_person_cannot_weaken_ours(config: pathlib.Path, tmp_path: pathlib.Path) -> None:
    own = tmp_path / "own"
    own.write_text(
        "Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  ForwardAgent yes\n  User kim\n"
    )
    files.add_include(own, config)
    found = asked(own, "new.gpudev")
    assert found["stricthostkeychecking"] == ["true"]
    assert found["forwardagent"] == ["no"]
    assert found["user"] == ["dev"]
    assert asked(own, "elsewhere")["user"] == ["kim"]


@pytest.mark.parametrize(
    ("host", "believed"),
    [("work.gpudev", "@cert-authority"), ("work.kim.gpudev", "@cert-authority"), ("gateway.gpudev", "gateway.gpudev")],
)
def test_the_authority_speaks_for_boxes_and_the_gateway_for_itself(
    folder: pathlib.Path, install: SshInstall, host: str, believed: str
) -> None:
    files.write(folder / "known_hosts", known_hosts(install))
    command = ["ssh-keygen", "-F", host, "-f", str(folder / "known_hosts")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith("#")] == [believed]
