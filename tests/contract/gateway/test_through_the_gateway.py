"""What the gateway lets through, and what it refuses: seen by the system's ssh."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time

import attrs
import pytest

from gpudev_sdk.ssh.ca import HostAuthority

NO_SUCH_BOX = b"there is no such dev server, or it is not active, or it is not yours"


@pytest.mark.parametrize("host", ["work.gpudev", "work.kim.gpudev", "work.lab.gpudev", "work.kim.lab.gpudev"])
def test_a_command_runs_and_its_exit_code_comes_back(world, kims, host):
    done = world.ssh(kims, host, "echo out; echo err >&2; exit 42")
    assert (done.returncode, done.stdout, done.stderr) == (42, b"out\n", b"err\n")


def test_bytes_pass_unchanged_in_both_directions_and_end(world, kims):
    data = os.urandom(3_000_000)
    done = world.ssh(kims, "work.gpudev", "cat", data=data)
    assert done.stdout == data


def test_what_is_left_is_delivered_when_the_other_side_ends_first(world, kims):
    done = world.ssh(kims, "work.gpudev", "head -c 5000000 /dev/zero")
    assert len(done.stdout) == 5_000_000


def test_a_slow_reader_gets_everything(world, kims):
    command = " ".join(f"'{part}'" for part in world.command(kims, "work.gpudev", "head -c 20000000 /dev/zero"))
    done = subprocess.run(f"{command} | (sleep 1; wc -c)", shell=True, capture_output=True, check=True)
    assert done.stdout.strip() == b"20000000"


def raw_channel(world, config):
    """Open a channel to something that is no SSH server; return the client, its channel's far end, and the gateway's part."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        box = world.rules.boxes[world.kim.id, "work"]
        endpoint = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        world.rules.boxes[world.kim.id, "work"] = attrs.evolve(box, endpoint=endpoint)
        process = world.start(config, "-W", "work:22", "gateway.gpudev")
        listener.settimeout(20)
        far, _ = listener.accept()
    return process, far


def tunnel_of(world):
    (door,) = world.gateway._doorway.known
    (tunnel,) = door.tunnels
    return tunnel


def test_a_box_is_reached_over_tcp_too(world, kims):
    process, far = raw_channel(world, kims)
    with far:
        far.sendall(b"hello\n")
        assert process.stdout.readline() == b"hello\n"


def test_a_box_is_not_read_faster_than_its_client_reads(world, kims):
    """What nobody takes is not kept either: memory stays bounded."""
    _, far = raw_channel(world, kims)
    with far:
        far.settimeout(2)
        with pytest.raises(TimeoutError):
            for _ in range(200):
                far.sendall(bytes(1_000_000))
        assert tunnel_of(world)._channel.get_write_buffer_size() < 1_000_000


def test_a_client_is_not_read_faster_than_its_box_reads(world, kims, wait_until):
    process, far = raw_channel(world, kims)
    with far:
        os.set_blocking(process.stdin.fileno(), False)
        sent = []

        def stuck():
            before = len(sent)
            with contextlib.suppress(BlockingIOError):
                while process.stdin.raw.write(bytes(65536)) is not None:
                    sent.append(1)
            return len(sent) == before and before > 0

        assert wait_until(lambda: all(stuck() for _ in range(5) if not time.sleep(0.1)))
        assert tunnel_of(world)._upstream.transport.get_write_buffer_size() < 8_000_000
        assert len(sent) * 65536 < 50_000_000


def test_a_second_command_shares_the_connection(world, tmp_path):
    config = world.client(world.key("kim", world.kim), shared=True)
    try:
        assert world.ssh(config, "work.gpudev", "exit 3").returncode == 3
        logins = world.rules.asked.count("user_of_key")
        assert world.ssh(config, "work.gpudev", "exit 4").returncode == 4
        assert world.rules.asked.count("user_of_key") == logins
    finally:
        world.ssh(config, "-O", "exit", "work.gpudev")


# -- who the client talks to


def test_a_box_signed_by_another_authority_is_not_talked_to(world, tmp_path):
    world.box(world.kim, "fake", HostAuthority(tmp_path / "other"))
    done = world.ssh(world.client(world.key("kim", world.kim)), "fake.gpudev", "echo in")
    assert (done.returncode, done.stdout) == (255, b"")
    assert b"Host key verification failed" in done.stderr


def test_a_box_without_a_certificate_is_not_talked_to(world):
    world.box(world.kim, "plain", certificate=False)
    done = world.ssh(world.client(world.key("kim", world.kim)), "plain.gpudev", "echo in")
    assert (done.returncode, done.stdout) == (255, b"")


def test_a_gateway_with_another_key_is_not_talked_to(world, tmp_path):
    other = HostAuthority(tmp_path / "other").gateway_public_line
    done = world.ssh(world.client(world.key("kim", world.kim), gateway_key=other), "work.gpudev", "echo in")
    assert (done.returncode, done.stdout) == (255, b"")
    assert b"verification failed" in done.stderr
    assert world.rules.asked == []


def test_a_box_cannot_pose_as_the_gateway(world):
    config = world.client(world.key("kim", world.kim), gateway_port=world.impostor())
    done = world.ssh(config, "-l", "dev", "gateway.gpudev", "echo in")
    assert done.stdout == b""
    assert b"verification failed" in done.stderr


# -- who the gateway talks to


def test_a_key_that_nobody_enrolled_is_refused(world):
    done = world.ssh(world.client(world.key("stranger")), "work.gpudev", "echo in")
    assert (done.returncode, done.stdout) == (255, b"")
    assert b"Permission denied (publickey)" in done.stderr


def test_a_person_who_is_shut_out_is_refused(world):
    shut_out = attrs.evolve(world.kim, disabled=True)
    done = world.ssh(world.client(world.key("kim", shut_out)), "work.gpudev", "echo in")
    assert b"Permission denied (publickey)" in done.stderr


@pytest.mark.parametrize("user", ["root", "dev", "kim", "gpudev2", "GPUDEV"])
def test_another_user_name_is_refused(world, kims, user):
    done = world.ssh(kims, "-l", user, "-W", "work:22", "gateway.gpudev")
    assert b"Permission denied (publickey)" in done.stderr


# -- where it leads


@pytest.mark.parametrize(
    "target",
    [
        "nothing:22",
        "secret:22",
        "secret.lee:22",
        "secret.lee.gpudev:22",
        "work.lee:22",
        "work:23",
        "work:80",
        "127.0.0.1:22",
        "[::1]:22",
        "localhost:22",
        "example.org:22",
        "work.gpudev.:22",
        "work..gpudev:22",
        "WORK:22",
        "../work:22",
        "a.b.c.d:22",
        "work.kim.other:22",
        "/run/work.sock:22",
        "169.254.169.254:80",
    ],
)
def test_everything_but_ones_own_box_is_refused_in_the_same_words(world, kims, target):
    done = world.ssh(kims, "-W", target, "gateway.gpudev")
    assert done.stdout == b""
    assert b"administratively prohibited: " + NO_SUCH_BOX in done.stderr


def test_a_port_of_this_host_is_never_dialled(world, kims):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        world.ssh(kims, "-W", f"127.0.0.1:{listener.getsockname()[1]}", "gateway.gpudev")
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("endpoint", ["", "tcp:127.0.0.1:0", "unix:relative", "exec:id", "unix:/a\nb", "127.0.0.1:22"])
def test_an_endpoint_of_another_form_is_not_dialled(world, kims, endpoint):
    box = world.rules.boxes[world.kim.id, "work"]
    world.rules.boxes[world.kim.id, "work"] = attrs.evolve(box, endpoint=endpoint)
    assert NO_SUCH_BOX in world.ssh(kims, "-W", "work:22", "gateway.gpudev").stderr


def test_a_box_that_does_not_answer_says_so(world, kims, tmp_path):
    box = world.rules.boxes[world.kim.id, "work"]
    world.rules.boxes[world.kim.id, "work"] = attrs.evolve(box, endpoint=f"unix:{tmp_path}/none")
    done = world.ssh(kims, "work.gpudev", "id")
    assert done.returncode == 255
    assert b"does not answer" in done.stderr
