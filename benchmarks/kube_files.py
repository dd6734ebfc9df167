"""How soon new files of a box are in it: keys added and taken away, by compute alone and through gpudev."""

from __future__ import annotations

import base64
import contextlib
import pathlib
import subprocess
import threading
import time
from collections.abc import Iterator

from kube_ground import Ground, bare_ssh, figure, reserved, run, until
from measure import line

from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import SECRET
from gpudev_sdk.testing.files import box_files
from tests.cluster.boxes import Box, launched

#: Says in the box, within a hundredth of a second, that the file has changed.
POLL = (
    "cd /run/gpudev; old=$(cat authorized_keys); echo ready; while :; do new=$(cat authorized_keys);"
    ' [ "$new" = "$old" ] || { echo changed; old=$new; }; sleep 0.01; done'
)


class Poll:
    """A session in a box that tells of every change."""

    def __init__(self, command: list[str], **more) -> None:
        self.changes: list[float] = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, **more)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for _ in self._process.stdout or ():
            self.changes.append(time.time())

    def wait(self, count: int) -> float:
        """Return when the file had changed so many times."""
        until(lambda: len(self.changes) >= count, within=150)
        return self.changes[count - 1]

    def end(self) -> None:
        """Leave the box."""
        self._process.kill()
        self._process.wait()


def measure(ground: Ground, rounds: int) -> None:
    """Print the figures."""
    _by_compute(ground, rounds)
    _through_gpudev(ground, rounds)


def _by_compute(ground: Ground, rounds: int) -> None:
    with launched(ground.place, ground.folder, ground.place.settings(grace_seconds=2)) as box:
        address = box.wait().endpoint.split(":")[1]
        own = box.key.with_suffix(".pub").read_text().strip()
        with _polling(bare_ssh(box.key, address, POLL)) as poll:
            seen = _by_turns(
                ground, rounds, poll, address,
                lambda key: box.compute.configure(box.spec.server_id, box_files("box", authorized=f"{own}\n{key}")),
                lambda _: box.compute.configure(box.spec.server_id, box_files("box", authorized=own)),
            )  # fmt: skip
            unasked = _without_annotation(ground, box, poll, own)
    line("floor: the Secret changed and the pod not → the file has changed", f"{unasked:.0f} s", "n 1")
    _print("configure", seen)


def _without_annotation(ground: Ground, box: Box, poll: Poll, own: str) -> float:
    """Change the Secret as anybody would, and wait until the kubelet looks at it by itself."""
    before, began = len(poll.changes), time.time()
    text = base64.b64encode(f"{own}\n{own}\n".encode()).decode()
    name = box.pod + names.FILES_SUFFIX
    ground.api.merge(SECRET, name, {"data": {"authorized_keys": text}})
    return poll.wait(before + 1) - began


def _through_gpudev(ground: Ground, rounds: int) -> None:
    install = ground.install

    def add(public: str) -> None:
        path = ground.folder / "added.pub"
        path.write_text(public + "\n")
        install.cli("key", "add", str(path))

    def remove(_: str) -> None:
        install.cli(
            "key", "remove", run(["ssh-keygen", "-lf", str(ground.folder / "added.pub")]).stdout.split()[1].decode()
        )

    with (
        reserved(ground, "cpu", "1h", name="files") as address,
        _polling(ground.ssh("files", POLL), env=install.environment) as poll,
    ):
        seen = _by_turns(ground, rounds, poll, address, add, remove)
    _print("gpudev key add, remove", seen)


@contextlib.contextmanager
def _polling(command: list[str], **more) -> Iterator[Poll]:
    poll = Poll(command, **more)
    try:
        yield poll
    finally:
        poll.end()


def _by_turns(ground: Ground, rounds: int, poll: Poll, address: str, add, remove) -> dict[str, list[float]]:
    """Add and remove a key again and again; return seconds from each call to what came of it."""
    took: dict[str, list[float]] = {"seen": [], "let in": [], "refused": []}
    for _ in range(rounds):
        key = ground.new_key()
        for what, change in (("let in", add), ("refused", remove)):
            before, began = len(poll.changes), time.time()
            change(key.with_suffix(".pub").read_text().strip())
            took[what].append(_until_login(key, address, what == "let in") - began)
            took["seen"].append(poll.wait(before + 1) - began)
    return took


def _until_login(key: pathlib.Path, address: str, wanted: bool) -> float:
    """Log in until that works, or is refused; return when the attempt that showed it had begun."""
    while True:
        began = time.time()
        done = subprocess.run(
            bare_ssh(key, address, "true"), capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        if (done.returncode == 0) is wanted:
            return began if not wanted else time.time()


def _print(what: str, seen: dict[str, list[float]]) -> None:
    figure(f"{what} → the file in the box has changed", seen["seen"], "bar 1 s")
    figure("  → a login with the new key is done", seen["let in"], "the logins themselves 0.15 s")
    figure("  → a login with the removed key is refused", seen["refused"])
