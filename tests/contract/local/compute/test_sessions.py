"""What a person does in a box, by the system's ssh."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import asyncssh
import pytest

from tests.contract.local.compute.machine import comes

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("ssh_program")]


@pytest.fixture
def box(machine):
    return machine.start(env={"SECRET": "sesame"}, cpus=2.0).server_id


def test_a_commands_output_and_exit_status_come_back(machine, box):
    done = machine.ssh(box, "echo out; echo err >&2; exit 7")

    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_a_command_reads_what_ssh_is_given(machine, box):
    assert machine.ssh(box, "tr a-z A-Z", input="hello\n").stdout == "HELLO\n"


def test_a_command_killed_by_a_signal_does_not_look_like_success(machine, box):
    assert machine.ssh(box, "kill -9 $$").returncode == 255


def test_much_data_arrives_whole_both_ways(machine, box):
    sent = os.urandom(20_000_000)

    done = machine.ssh(box, "tee copy | cat", input=sent, text=False)

    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(sent).digest()
    assert machine.run(box, "sha256sum < copy").split()[0] == hashlib.sha256(sent).hexdigest()


def test_a_program_that_reads_nothing_does_not_hold_up_the_client(machine, box):
    assert machine.ssh(box, "exit 3", input="x" * 5_000_000).returncode == 3


def test_the_environment_names_the_box_and_holds_the_persons_values(machine, box):
    env = dict(line.partition("=")[::2] for line in machine.run(box, "env").splitlines())

    assert env["HOME"] == "/home/dev"
    assert (env["GPUDEV_RUN"], env["GPUDEV_NAME"]) == ("/run/gpudev", "work")
    assert (env["SECRET"], env["OMP_NUM_THREADS"], env["CUDA_VISIBLE_DEVICES"]) == ("sesame", "2", "")


def test_a_box_with_gpus_counts_them_from_zero(machine):
    box = machine.start(gpu_type="h100", slots=(1,), gpus=1).server_id

    assert machine.run(box, "echo $CUDA_VISIBLE_DEVICES") == "0\n"


def test_of_the_clients_environment_only_language_is_taken(machine, box):
    mine = os.environ | {"LC_TIME": "C.UTF-8", "EVIL": "1", "LD_PRELOAD": ""}

    done = machine.ssh(box, "env", options=["-o", "SendEnv=LC_TIME EVIL"], env=mine)

    assert "LC_TIME=C.UTF-8" in done.stdout.splitlines()
    assert "EVIL" not in done.stdout


@pytest.mark.parametrize("user", ["root", "ada"])
def test_only_the_user_dev_gets_in(machine, box, user):
    done = machine.ssh(box, "true", options=["-l", user, "-o", f"User={user}"])

    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_a_key_that_is_not_authorized_is_refused(machine, box, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    other.chmod(0o600)
    machine.key = other

    assert "Permission denied (publickey)" in machine.ssh(box, "true").stderr


@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_copies_both_ways_and_ends_with_zero(machine, box, tmp_path, protocol):
    (tmp_path / "up").write_bytes(os.urandom(100_000))
    options = [protocol, "-q", *machine.options(box)]

    up = subprocess.run(["scp", *options, str(tmp_path / "up"), "box:there"], capture_output=True, timeout=30)
    down = subprocess.run(["scp", *options, "box:there", str(tmp_path / "down")], capture_output=True, timeout=30)

    assert (up.returncode, down.returncode) == (0, 0), (up, down)
    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()


def test_sftp_lists_renames_and_removes(machine, box):
    batch = "mkdir a\nput /etc/hostname a/x\nrename a/x a/y\nls a\nrm a/y\nrmdir a\n"

    done = subprocess.run(
        ["sftp", "-b", "-", *machine.options(box), "box"], input=batch, capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 0, done
    assert "a/y" in done.stdout
    assert machine.run(box, "ls -A").strip() == ""


def test_a_fifo_asked_for_by_sftp_does_not_stop_the_box(machine, box):
    machine.run(box, "mkfifo pipe")

    with pytest.raises(asyncssh.SFTPFailure, match="not a regular file"):
        asyncio.run(_open_by_sftp(machine, box, "pipe"))

    assert machine.run(box, "echo still here") == "still here\n"


def test_a_forwarded_port_reaches_a_service_of_the_box(machine, box):
    with socket.create_server(("127.0.0.1", 0)) as service, socket.create_server(("127.0.0.1", 0)) as unused:
        threading.Thread(target=_greet, args=(service,), daemon=True).start()
        port = unused.getsockname()[1]
        unused.close()
        forward = f"{port}:localhost:{service.getsockname()[1]}"
        with subprocess.Popen(["ssh", "-N", "-L", forward, *machine.options(box), "box"]) as ssh:
            try:
                assert _read_from(port) == b"hello"
            finally:
                ssh.terminate()


def test_listening_for_the_client_is_refused(machine, box):
    done = machine.ssh(box, "true", options=["-R", "0:localhost:22", "-o", "ExitOnForwardFailure=yes"])

    assert done.returncode == 255


@pytest.mark.parametrize("wanted", [True, False])
def test_the_agent_is_forwarded_only_if_the_reservation_asks_for_it(machine, tmp_path, wanted):
    about = json.dumps({"agent_forwarding": wanted}).encode()
    box = machine.start(files=machine.files(reservation_json=about)).server_id
    agent = _agent(tmp_path)
    try:
        done = machine.ssh(
            box, 'test -S "$SSH_AUTH_SOCK"', options=["-A"], env=os.environ | {"SSH_AUTH_SOCK": agent[0]}
        )
    finally:
        os.kill(agent[1], 15)

    assert done.returncode == (0 if wanted else 1)


def test_the_host_key_is_shown_with_the_certificate_of_the_reservation(machine, box):
    done = machine.ssh(box, "true", options=["-v", "-o", "LogLevel=DEBUG1"])

    assert "ssh-ed25519-cert-v01@openssh.com" in done.stderr


def test_what_a_session_leaves_in_a_session_of_its_own_lives_on(machine, box):
    machine.run(box, "setsid sh -c 'sleep 1; echo done > mark' >/dev/null 2>&1 </dev/null &")

    assert comes(lambda: machine.ssh(box, "cat mark").stdout == "done\n")


def test_a_client_that_goes_hangs_up_its_session(machine, box):
    command = "trap 'echo hup > mark; exit' HUP; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(["ssh", *machine.options(box), "box", command], stdout=subprocess.PIPE) as ssh:
        assert ssh.stdout is not None
        assert ssh.stdout.readline() == b"ready\n"
        ssh.kill()

    assert comes(lambda: machine.ssh(box, "cat mark").stdout == "hup\n")


async def _open_by_sftp(machine, box, path: str) -> None:
    """Open a file without the looks that the system's sftp takes first."""
    far = socket.socket(socket.AF_UNIX)
    far.connect(machine.compute.observe(box).endpoint.removeprefix("unix:"))
    options = {"username": "dev", "client_keys": [str(machine.key)], "known_hosts": None, "config": None}
    client = await asyncssh.connect("box", sock=far, **options)
    try:
        async with asyncio.timeout(10):
            await (await client.start_sftp_client()).open(path, "rb")
    finally:
        client.abort()


def _greet(service: socket.socket) -> None:
    with service.accept()[0] as client:
        client.sendall(b"hello")


def _read_from(port: int) -> bytes:
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                return client.recv(5)
        except OSError:
            time.sleep(0.05)
    return b""


def _agent(folder: pathlib.Path) -> tuple[str, int]:
    path = str(folder / "agent")
    said = subprocess.run(["ssh-agent", "-a", path, "-s"], capture_output=True, text=True, check=True).stdout
    return path, int(said.partition("SSH_AGENT_PID=")[2].partition(";")[0])
