"""What a person finds in a box, whatever its image: sshd and tools that came along, the image's environment, nothing of root."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from tests.cluster.boxes import launched, until

IMAGES = ("debian", "busybox", "musl", "root_user")


@pytest.fixture(scope="module", params=IMAGES)
def box(request, place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("box")
    with launched(
        place, folder, image=place.images[request.param], env={"SECRET": "two words\nand a line"}, cpus=0.5
    ) as made:
        made.wait()
        yield made


def test_a_command_runs_and_its_code_comes_back(box):
    assert box.ssh("echo hello; exit 3", ok=False).stdout == "hello\n"
    assert box.ssh("exit 3", ok=False).returncode == 3


def test_who_one_is_and_where(box):
    who = box.ssh("id -u; id -un; pwd; echo $HOME; echo $USER; umask").stdout.split("\n")

    assert who[:5] == ["1000", "dev", "/home/dev", "/home/dev", "dev"]
    assert who[5] in ("0022", "022")


def test_the_environment_of_the_pod_reaches_a_session(box):
    assert box.ssh('printf "%s" "$SECRET"').stdout == "two words\nand a line"
    assert box.ssh("echo $GPUDEV_NAME $GPUDEV_RUN $OMP_NUM_THREADS $NVIDIA_VISIBLE_DEVICES").stdout == (
        "box /run/gpudev 1 void\n"
    )


def test_a_login_has_a_terminal_of_its_size(box):
    pid, ours = pty.fork()
    if pid == 0:
        os.execvp("ssh", ["ssh", *box.ssh_options(), "-tt", "box", "tty; stty size 2>/dev/null || true; exit 4"])
    said = b""
    try:
        while chunk := os.read(ours, 1000):
            said += chunk
    except OSError:
        pass  # the other end of a terminal closes so
    assert b"/dev/pts/" in said
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4


@pytest.mark.parametrize("way", [["scp"], ["scp", "-O"]])
def test_files_go_both_ways(box, tmp_path, way):
    (tmp_path / "there").write_bytes(b"\0bytes\n" * 1000)

    subprocess.run([*way, *box.ssh_options(), str(tmp_path / "there"), "box:copied"], check=True, timeout=30)
    subprocess.run([*way, *box.ssh_options(), "box:copied", str(tmp_path / "back")], check=True, timeout=30)

    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


def test_a_port_of_the_box_can_be_reached(box, tmp_path):
    box.ssh("(echo hi there | /opt/gpudev/bin/busybox nc -l -p 8123) >/dev/null 2>&1 &")
    socket = tmp_path / "forwarded"
    forward = subprocess.Popen(["ssh", *box.ssh_options(), "-N", "-L", f"{socket}:127.0.0.1:8123", "box"])
    try:
        until(socket.exists)
        heard = subprocess.run(
            ["python3", "-c", f"import socket; s=socket.socket(socket.AF_UNIX); s.connect({str(socket)!r}); print(s.recv(99))"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
        assert "hi there" in heard.stdout
    finally:
        forward.terminate()
        forward.wait()


def test_nobody_gets_in_with_another_key(box, tmp_path):
    key = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    options = [str(key) if word == str(box.key) else word for word in box.ssh_options()]

    done = subprocess.run(["ssh", *options, "box", "true"], capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 255
    assert "Permission denied" in done.stderr


def test_it_has_no_power_and_no_token(box):
    status = box.ssh("cat /proc/self/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    assert box.ssh("ls /var/run/secrets/kubernetes.io", ok=False).returncode != 0


def test_its_users_are_nobody_on_the_node(box):
    inside, outside, count = box.ssh("cat /proc/self/uid_map").stdout.split()

    assert (inside, int(count)) == ("0", 65536)
    assert int(outside) > 0


def test_what_gpudev_puts_there_cannot_be_changed(box):
    for path in ("/run/gpudev/authorized_keys", "/etc/passwd", "/opt/gpudev/bin/busybox", "/etc/gpudev/start.sh"):
        assert box.ssh(f"echo x >> {path}", ok=False).returncode != 0, path


def test_shared_memory_follows_the_share(box):
    size = box.ssh("/opt/gpudev/bin/busybox df -k /dev/shm | /opt/gpudev/bin/busybox tail -1").stdout.split()[1]

    assert int(size) == 128 * 1024
