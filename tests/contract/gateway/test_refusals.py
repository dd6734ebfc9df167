"""What the gateway never does, whoever asks: sessions, ways back, agents, tunnels, other ways to log in."""

from __future__ import annotations

import asyncssh
import pytest


@pytest.mark.parametrize(
    "arguments",
    [
        ("gateway.gpudev", "id"),
        ("-tt", "gateway.gpudev"),
        ("-s", "gateway.gpudev", "sftp"),
        ("-A", "gateway.gpudev", "id"),
        ("-X", "gateway.gpudev", "id"),
    ],
    ids=" ".join,
)
def test_there_is_no_session_on_the_gateway(world, kims, arguments):
    done = world.ssh(kims, *arguments)
    assert (done.returncode, done.stdout) == (255, b"")


@pytest.mark.parametrize("spec", ["0:127.0.0.1:22", "127.0.0.1:0:127.0.0.1:22", "/tmp/gpudev-never.sock:127.0.0.1:22"])
def test_nothing_is_forwarded_back(world, kims, spec):
    done = world.ssh(kims, "-N", "-o", "ExitOnForwardFailure=yes", "-R", spec, "gateway.gpudev")
    assert done.returncode == 255
    assert b"forwarding failed" in done.stderr or b"forward request failed" in done.stderr


@pytest.mark.parametrize(
    "ask",
    [
        lambda connection: connection.open_unix_connection("/run/x.sock"),
        lambda connection: connection.start_unix_server(lambda: None, "/tmp/gpudev-never.sock"),
        lambda connection: connection.start_server(lambda host, port: None, "", 0),
        lambda connection: connection.open_tun(),
        lambda connection: connection.open_tap(),
        lambda connection: connection.run("id"),
        lambda connection: connection.start_sftp_client(),
        lambda connection: connection.open_connection("work", 23),
    ],
    ids=["unix socket", "unix listener", "listener", "tun", "tap", "command", "sftp", "port"],
)
def test_a_client_that_asks_for_anything_else_gets_nothing(world, ask):
    key = world.key("kim", world.kim)

    async def attempt():
        async with await world.connect(key) as connection:
            with pytest.raises((asyncssh.ChannelOpenError, asyncssh.ChannelListenError)):
                await ask(connection)

    world.loop.run(attempt())


@pytest.mark.parametrize(
    "method",
    [{"password": "x"}, {"preferred_auth": "keyboard-interactive", "password": "x"}],
    ids=["password", "kbdint"],
)
def test_there_is_no_other_way_to_log_in(world, method):
    async def attempt():
        with pytest.raises(asyncssh.PermissionDenied):
            await world.connect(None, client_keys=None, **method)

    world.loop.run(attempt())
    assert world.rules.asked == []


def test_an_rsa_key_signs_with_sha2_and_never_with_sha1(world):
    key = world.key("kim", world.kim, kind="rsa")
    assert world.ssh(world.client(key), "work.gpudev", "exit 9").returncode == 9

    old = asyncssh.read_private_key(key)
    old.sig_algorithms = (b"ssh-rsa",)

    async def attempt():
        with pytest.raises(asyncssh.PermissionDenied):
            await world.connect(None, client_keys=[old], signature_algs=["ssh-rsa"])

    world.loop.run(attempt())


def test_a_stolen_public_key_opens_nothing(world, tmp_path):
    kims = world.key("kim", world.kim)
    other = world.key("other")
    # The public part of kim's key, with the private part of another.
    other.with_suffix(".pub").write_text(kims.with_suffix(".pub").read_text())
    done = world.ssh(world.client(other), "work.gpudev", "echo in")
    assert (done.returncode, done.stdout) == (255, b"")


def test_a_known_key_tried_before_ones_own_gives_nothing_of_its_person(world, tmp_path):
    """Whoever signs is who is let in, whatever keys were asked about before."""
    lees = world.key("lee", world.lee)
    kims = world.key("kim", world.kim)
    config = world.client(kims)
    first = ("-o", f"IdentityFile={lees}.pub", "-o", "IdentitiesOnly=yes")
    done = world.ssh(config, *first, "-W", "secret:22", "gateway.gpudev")
    assert b"administratively prohibited" in done.stderr
    assert world.ssh(config, *first, "work.gpudev", "echo in").stdout == b"in\n"


def test_a_client_may_not_try_keys_without_end(make_world):
    world = make_world(keys=3)
    world.box(world.kim, "work")
    strangers = [world.key(f"stranger{number}") for number in range(8)]
    config = world.client(world.key("kim", world.kim))
    many = [option for key in strangers for option in ("-o", f"IdentityFile={key}")]
    done = world.ssh(config, *many, "-W", "work:22", "gateway.gpudev")
    assert b"Permission denied" in done.stderr or b"Too many" in done.stderr
    assert world.rules.asked.count("user_of_key") <= 6
