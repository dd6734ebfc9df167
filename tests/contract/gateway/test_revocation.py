"""What is open is closed when the right to it ends, and stays open when that cannot be told."""

from __future__ import annotations

import attrs
import pytest

from gpudev_services.gateway.server import SWEEP_SECONDS


def end_reservation(world):
    del world.rules.boxes[world.kim.id, "work"]


def disable(world):
    for fingerprint, user in world.rules.keys.items():
        if user.id == world.kim.id:
            world.rules.keys[fingerprint] = None


@pytest.mark.parametrize("end", [end_reservation, disable], ids=["the reservation ended", "the person is shut out"])
def test_the_bell_closes_what_is_open(world, kims, wait_until, end):
    process = world.session(kims)
    end(world)
    world.gateway.recheck()
    assert wait_until(lambda: process.poll() is not None, SWEEP_SECONDS)
    assert process.returncode == 255


def test_it_is_closed_without_the_bell_too(world, kims, wait_until):
    process = world.session(kims)
    end_reservation(world)
    assert wait_until(lambda: process.poll() is not None, SWEEP_SECONDS + 2)


def test_a_shared_connection_ends_with_the_right_to_it(world, wait_until):
    config = world.client(world.key("kim", world.kim), shared=True)
    world.session(config)
    assert world.ssh(config, "-O", "check", "work.gpudev").returncode == 0
    end_reservation(world)
    world.gateway.recheck()
    assert wait_until(lambda: world.ssh(config, "-O", "check", "work.gpudev").returncode != 0)
    assert world.ssh(config, "work.gpudev", "echo in").stdout == b""


def test_a_connection_without_a_channel_ends_when_its_person_is_shut_out(world, kims, wait_until):
    idle = world.start(kims, "-N", "gateway.gpudev")
    assert wait_until(lambda: len(world.gateway._doorway.known) == 1)
    disable(world)
    world.gateway.recheck()
    assert wait_until(lambda: idle.poll() is not None, SWEEP_SECONDS)


def test_others_are_not_touched(world, kims, wait_until):
    other = world.box(world.kim, "other")
    assert other
    lees = world.client(world.key("lee", world.lee))
    mine, theirs, doomed = (
        world.session(kims, "other.gpudev"),
        world.session(lees, "secret.gpudev"),
        world.session(kims),
    )
    end_reservation(world)
    world.gateway.recheck()
    assert wait_until(lambda: doomed.poll() is not None)
    assert world.answers(mine)
    assert world.answers(theirs)


def test_another_reservation_of_the_same_name_does_not_inherit_what_is_open(world, kims, wait_until):
    process = world.session(kims)
    world.rules.boxes[world.kim.id, "work"] = attrs.evolve(
        world.rules.boxes[world.kim.id, "work"], reservation_id=world.lee.id
    )
    world.gateway.recheck()
    assert wait_until(lambda: process.poll() is not None)


def test_nothing_is_closed_while_the_database_is_away(world, kims, wait_until):
    process = world.session(kims)
    world.rules.away = True
    seen = world.rules.asked.count("still_held")
    world.gateway.recheck()
    assert wait_until(lambda: world.rules.asked.count("still_held") > seen)
    assert world.answers(process)
    assert b"Permission denied" in world.ssh(kims, "work.gpudev", "id").stderr
    world.rules.away = False
    assert world.ssh(kims, "work.gpudev", "exit 7").returncode == 7


def test_a_right_that_ends_while_the_box_is_dialled_opens_nothing(world, kims):
    find_box = world.rules.find_box

    def found_and_ended(*asked):
        box = find_box(*asked)
        end_reservation(world)
        return box

    world.rules.find_box = found_and_ended
    assert b"there is no such dev server" in world.ssh(kims, "-W", "work:22", "gateway.gpudev").stderr


def test_nobody_is_asked_while_nothing_is_open(world):
    world.gateway.recheck()
    world.loop.run(world.gateway._close_what_ended())
    assert world.rules.asked == []


@pytest.mark.parametrize("command", ["cat", "cat /dev/zero", "cat >/dev/null"])
def test_a_client_that_is_killed_leaves_nothing_behind(world, kims, wait_until, command):
    process = world.start(kims, "work.gpudev", command)
    assert wait_until(lambda: any(door.tunnels for door in world.gateway._doorway.known))
    process.kill()
    assert wait_until(lambda: world.gateway._doorway.all == ())
