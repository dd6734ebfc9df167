"""Our ssh files: what is noted, when they are written anew, and what a server cannot put into them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading

import msgspec
import pytest

from gpudev_sdk.client import include
from gpudev_sdk.client.access import note
from gpudev_sdk.client.boxes import find_boxes, find_way, forget, keep_in_step, notes_path, open_box, ssh_config
from gpudev_sdk.client.own_key import ensure_own_key, own_key_path
from gpudev_sdk.errors import ConfigError, Conflict, InvalidRequest
from gpudev_sdk.wire import views
from tests.unit.client.stub_api import reservation


def _says(places, alias: str) -> dict[str, str]:
    """What OpenSSH itself makes of our file."""
    done = subprocess.run(
        ["ssh", "-G", "-F", str(ssh_config(places)), alias], capture_output=True, text=True, check=True
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


@pytest.fixture
def gateway_key(stub, room):
    """The stub shows keys that are ones."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(room / "k")], check=True)
    line = (room / "k.pub").read_text().strip()
    server = stub.answers["GET", "/v1/server"]
    gateway = views.GatewayView(port=7022, host=None, host_key=line, host_ca=line)
    stub.on("GET", "/server", msgspec.structs.replace(server, gateway=gateway))
    return line


def test_opening_a_box_enrols_our_key_and_lets_ssh_find_it(calls, stub, places, gateway_key):
    row = reservation("work")
    stub.rows = [row]
    way = open_box(calls, row)

    sent = json.loads(stub.asked("POST", "/me/keys")[0][2])["public_key"]
    assert sent == own_key_path(places).with_suffix(".pub").read_text().strip()
    assert way == (("work", "work.gpudev", ssh_config(places)))
    assert find_way(places, "local", str(places.data), "work") == way
    said = _says(places, way.alias)
    assert (said["proxyjump"], said["user"], said["stricthostkeychecking"]) == ("gateway.gpudev", "dev", "true")
    assert said["forwardagent"] == "no"


def test_a_box_reserved_with_the_agent_forwards_it_and_goes_on_doing_so(calls, stub, places, gateway_key):
    row, other = reservation("work"), reservation("other")
    stub.rows = [row, other]
    open_box(calls, row, agent=True)
    open_box(calls, other)

    assert _says(places, "work.gpudev")["forwardagent"] == "yes"
    assert _says(places, "other.gpudev")["forwardagent"] == "no"


def test_a_new_box_of_the_same_name_does_not_inherit_the_agent(calls, stub, places, gateway_key):
    stub.rows = [reservation("work")]
    open_box(calls, stub.rows[0], agent=True)
    stub.rows = [reservation("work")]
    keep_in_step(calls, stub.rows)

    assert _says(places, "work.gpudev")["forwardagent"] == "no"


def test_files_are_written_only_when_boxes_change(calls, stub, places, gateway_key):
    stub.rows = [reservation("work"), reservation("two", "queued")]
    for _ in range(3):
        keep_in_step(calls, stub.rows)
    assert len(stub.asked("GET", "/server")) == 1

    keep_in_step(calls, [])
    assert len(stub.asked("GET", "/server")) == 2
    assert "Host work.gpudev" not in ssh_config(places).read_text()


def test_the_notes_of_another_folder_are_not_taken_for_ours(calls, stub, places, gateway_key):
    stub.rows = [reservation("work")]
    open_box(calls, stub.rows[0])

    assert find_boxes(places, "local", "/elsewhere") is None
    assert find_way(places, "local", "/elsewhere", "work") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"address": "X"}', '{"address": "X", "boxes": 3}', '{"address":"X","boxes":[]}']
)
def test_damaged_notes_are_written_anew(calls, stub, places, gateway_key, text):
    stub.rows = [reservation("work")]
    path = notes_path(places, "local")
    path.parent.mkdir(parents=True)
    path.write_text(text.replace("X", str(places.data)))
    keep_in_step(calls, stub.rows)

    assert find_way(places, "local", str(places.data), "work") is not None


@pytest.mark.parametrize(
    "hostile",
    [{"host": "h\n  ProxyCommand sh"}, {"host": "-oProxyCommand=x"}, {"port": 0}, {"port": 70000}, {"host": ""},
     {"host_key": "ssh-ed25519 AAAA\n* x"}, {"host_ca": "none"}],
)  # fmt: skip
def test_a_server_cannot_write_into_our_files(calls, stub, places, gateway_key, hostile):
    server = stub.answers["GET", "/v1/server"]
    stub.on(
        "GET", "/server", msgspec.structs.replace(server, gateway=msgspec.structs.replace(server.gateway, **hostile))
    )
    stub.rows = [reservation("work")]
    if hostile == {"host": ""}:
        note(calls, {"work": "id"})
        return

    with pytest.raises(InvalidRequest):
        note(calls, {"work": "id"})
    assert not ssh_config(places).exists()
    assert not notes_path(places, "local").exists()


@pytest.mark.parametrize("name", ["w\n  ProxyCommand x", "*", "a.b.c", "gateway", "-x", "A"])
def test_a_box_with_a_hostile_name_is_refused(calls, stub, places, gateway_key, name):
    with pytest.raises(InvalidRequest):
        note(calls, {name: "id"})
    assert not ssh_config(places).exists()


def test_a_server_without_a_gateway_says_so(calls, stub, places):
    server = stub.answers["GET", "/v1/server"]
    stub.on("GET", "/server", msgspec.structs.replace(server, gateway=None))

    with pytest.raises(Conflict, match="gateway is not up"):
        open_box(calls, reservation("work"))


def test_a_second_server_gets_names_of_its_own_and_the_first_keeps_its(calls, stub, places, gateway_key):
    note(calls, {"work": "1"})
    second = calls.__class__(calls.api, places, _target("lab_2.x"))
    note(second, {"work": "2"})
    note(calls, {"work": "1"})

    assert find_way(places, "lab_2.x", "https://lab:1", "work").alias == "work.lab-2-x.gpudev"
    assert find_way(places, "local", str(places.data), "work").alias == "work.gpudev"
    assert _says(places, "work.lab-2-x.gpudev")["proxyjump"] == "gateway.lab-2-x.gpudev"
    forget(places, "lab_2.x")
    assert "lab-2-x" not in ssh_config(places).read_text()


def _target(name):
    from gpudev_sdk.client.targets import Target

    return Target(name, "https://lab:1", "lab")


def test_our_key_is_made_once_however_many_ask(places):
    lines: list[str] = []
    threads = [threading.Thread(target=lambda: lines.append(ensure_own_key(places))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({line.split()[1] for line in lines}) == 1
    assert len(lines) == 8
    assert stat.S_IMODE(own_key_path(places).stat().st_mode) == 0o600
    assert sorted(path.name for path in places.ssh.iterdir()) == ["id_ed25519", "id_ed25519.pub"]


def test_a_lost_public_half_is_made_from_the_private_one(places):
    line = ensure_own_key(places)
    own_key_path(places).with_suffix(".pub").unlink()

    assert ensure_own_key(places).split()[:2] == line.split()[:2]


def test_a_damaged_key_is_an_error_with_a_next_step(places):
    places.ssh.mkdir(parents=True)
    own_key_path(places).write_text("nonsense")

    with pytest.raises(ConfigError) as caught:
        ensure_own_key(places)
    assert caught.value.hint


def test_no_line_is_put_where_ssh_does_not_read_it(places):
    with pytest.raises(ConfigError, match="home is another"):
        include.enable(places)
    assert not include.can_be_enabled(places)
    assert not (places.home / ".ssh").exists()


def test_the_line_is_put_first_and_taken_out_again(places, monkeypatch):
    import pwd

    entry = pwd.getpwuid(os.geteuid())
    named = pwd.struct_passwd((*entry[:5], str(places.home), entry[6]))
    monkeypatch.setattr(include.pwd, "getpwuid", lambda uid: named)
    config = places.home / ".ssh" / "config"
    config.parent.mkdir()
    config.write_text("Host a\n  User b\n")

    assert include.enable(places)
    assert not include.enable(places)
    assert config.read_text().splitlines()[0] == f'Include "{ssh_config(places)}"'
    assert include.is_enabled(places)
    assert include.disable(places)
    assert config.read_text() == "Host a\n  User b\n"
