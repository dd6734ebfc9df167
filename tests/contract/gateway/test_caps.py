"""Strangers keep nobody out, and nobody takes everything."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import asyncssh
import pytest

from gpudev_sdk.errors import ConfigError
from gpudev_services.gateway import Gateway, GatewaySettings


def dial(world):
    connection = socket.create_connection(("127.0.0.1", world.gateway.port))
    connection.settimeout(20)
    return connection


def open_ones(connections):
    """Count the connections that the gateway has not closed."""
    count = 0
    for connection in connections:
        connection.settimeout(0)
        with contextlib.suppress(ConnectionError):
            try:
                while connection.recv(4096):
                    pass
            except BlockingIOError:
                count += 1
    return count


def test_400_silent_connections_are_cut_down_and_keep_nobody_out(make_world, wait_until):
    world = make_world(silent_per_address=20)
    world.box(world.kim, "work")
    config = world.client(world.key("kim", world.kim))
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(dial(world)) for _ in range(400)]
        assert wait_until(lambda: open_ones(silent) <= 20)
        assert world.ssh(config, "work.gpudev", "exit 9").returncode == 9


def test_a_login_that_is_not_completed_in_time_is_cut_off(make_world):
    world = make_world(login_seconds=0.5)
    with dial(world) as connection:
        connection.sendall(b"SSH-2.0-slow\r\n")
        while connection.recv(4096):
            pass


def test_one_person_has_only_so_many_connections(make_world, wait_until):
    world = make_world(per_user=2)
    world.box(world.kim, "work")
    world.box(world.lee, "work")
    kims, lees = world.client(world.key("kim", world.kim)), world.client(world.key("lee", world.lee))
    first, _ = world.session(kims), world.session(kims)
    assert world.ssh(kims, "work.gpudev", "exit 9").returncode == 255
    assert world.ssh(lees, "work.gpudev", "exit 9").returncode == 9
    first.kill()
    assert wait_until(lambda: world.ssh(kims, "work.gpudev", "exit 9").returncode == 9)


@pytest.mark.parametrize("cap", [{"total": 1}, {"per_address": 1}], ids=str)
def test_all_together_have_only_so_many_connections(make_world, cap):
    world = make_world(**cap)
    world.box(world.kim, "work")
    world.box(world.lee, "work")
    kims, lees = world.client(world.key("kim", world.kim)), world.client(world.key("lee", world.lee))
    session = world.session(kims)
    assert world.ssh(lees, "work.gpudev", "exit 9").returncode == 255
    assert world.answers(session)


def test_one_connection_has_only_so_many_channels(make_world):
    world = make_world(channels=2)
    world.box(world.kim, "work")
    key = world.key("kim", world.kim)

    async def attempt():
        async with await world.connect(key) as connection:
            _, writer = await connection.open_connection("work", 22)
            await connection.open_connection("work", 22)
            with pytest.raises(asyncssh.ChannelOpenError, match="too many channels"):
                await connection.open_connection("work", 22)
            writer.close()
            await writer.wait_closed()
            await connection.open_connection("work", 22)

    world.loop.run(attempt())


def test_channels_asked_for_in_one_breath_are_counted_too(make_world):
    world = make_world(channels=3)
    world.box(world.kim, "work")
    key = world.key("kim", world.kim)

    async def attempt():
        async with await world.connect(key) as connection:
            asked = (connection.open_connection("work", 22) for _ in range(20))
            return await asyncio.gather(*asked, return_exceptions=True)

    opened = world.loop.run(attempt())
    assert sum(isinstance(found, tuple) for found in opened) == 3


def test_a_taken_port_is_said(world, tmp_path):
    settings = GatewaySettings(host="127.0.0.1", port=world.gateway.port, host_key=world.authority.gateway_key())
    with pytest.raises(ConfigError, match="cannot listen on 127"):
        world.loop.run(Gateway(settings, world.rules).start())


def test_a_missing_key_is_said(world, tmp_path):
    settings = GatewaySettings(host="127.0.0.1", port=0, host_key=tmp_path / "none")
    with pytest.raises(ConfigError, match="none"):
        world.loop.run(Gateway(settings, world.rules).start())


def test_stopping_ends_everything_at_once(world, kims, wait_until):
    process = world.session(kims)
    world.loop.run(world.gateway.stop())
    assert wait_until(lambda: process.poll() is not None)
    with pytest.raises(ConnectionRefusedError):
        dial(world)
