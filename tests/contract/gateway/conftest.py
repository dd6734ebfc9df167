"""A real gateway on loopback, a box behind it on a Unix socket, and the system's ssh in front."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import uuid

import asyncssh
import attrs
import pytest

from gpudev_sdk.domain.user import User
from gpudev_sdk.errors import Unavailable
from gpudev_sdk.ssh import files
from gpudev_sdk.ssh.ca import HostAuthority
from gpudev_sdk.ssh.config import SshBox, SshInstall, known_hosts, render_all
from gpudev_sdk.ssh.keys import parse_public_key
from gpudev_services.gateway import Box, Caps, Gateway, GatewaySettings, Hold

PATIENCE = 20


class Loop:
    """An event loop in a thread of its own, as the gateway has it in a service."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def close(self):
        self.run(self._end_tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    async def _end_tasks(self):
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@attrs.define(slots=False)
class Rules:
    """Who may what, in memory: keys by fingerprint, boxes by owner and name."""

    keys: dict = attrs.field(factory=dict)
    boxes: dict = attrs.field(factory=dict)
    #: The database is away.
    away: bool = False
    asked: list = attrs.field(factory=list)

    def user_of_key(self, fingerprint):
        self._answer("user_of_key")
        return self.keys.get(fingerprint)

    def find_box(self, user_id, name, owner):
        self._answer("find_box")
        return self.boxes.get((user_id, name)) if owner in (None, "kim") else None

    def may_reach(self, user_id, fingerprint, reservation_id):
        return Hold(user_id, fingerprint, reservation_id) in self.still_held(
            [Hold(user_id, fingerprint, reservation_id)]
        )

    def still_held(self, holds):
        self._answer("still_held")
        live = {(owner, box.reservation_id) for (owner, _), box in self.boxes.items()}
        return frozenset(
            hold
            for hold in holds
            if self.keys.get(hold.fingerprint, None) is not None
            and self.keys[hold.fingerprint].id == hold.user_id
            and (hold.reservation_id is None or (hold.user_id, hold.reservation_id) in live)
        )

    def _answer(self, what):
        self.asked.append(what)
        if self.away:
            raise Unavailable


class BoxServer(asyncssh.SSHServer):
    """The box lets in whoever the gateway lets through; it is not what is tested here."""

    def begin_auth(self, username):
        return username != "dev"


async def run_command(process):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
    child = await asyncio.create_subprocess_shell(process.command, start_new_session=True, **pipes)
    giving = asyncio.create_task(carry(process.stdin, child.stdin))
    try:
        await asyncio.gather(carry(child.stdout, process.stdout), carry(child.stderr, process.stderr))
        process.exit(await child.wait())
    finally:
        giving.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        # A pipe that nobody reads would keep `wait` waiting.
        child._transport.close()
        await child.wait()


async def carry(source, target):
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    if isinstance(target, asyncio.StreamWriter):
        target.close()


@attrs.define
class World:
    """Everything of one install, and a client of it."""

    loop: Loop
    folder: pathlib.Path
    authority: HostAuthority
    rules: Rules
    gateway: Gateway
    kim: User = attrs.field(factory=lambda: User(id=uuid.uuid4(), number=1, name="kim"))
    lee: User = attrs.field(factory=lambda: User(id=uuid.uuid4(), number=2, name="lee"))
    opened: list = attrs.field(factory=list)

    def key(self, name, user=None, kind="ed25519"):
        """Make a key pair, enrolled for a person or for nobody."""
        path = self.folder / name
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, "-b", "3072" if kind == "rsa" else "256", "-N", "", "-f", str(path)],
            check=True,
        )
        if user is not None:
            self.rules.keys[self.fingerprint(path)] = user
        return path

    def fingerprint(self, path):
        return parse_public_key(path.with_suffix(".pub").read_text()).fingerprint

    def box(self, user, name, authority=None, certificate=True):
        """Start a box and let its person reach it."""
        path = self.folder / f"{user.name}-{name}.sock"
        private, public = self.authority.new_host_key()
        key = asyncssh.import_private_key(private)
        line = (authority or self.authority).sign_host_key(public, 1)
        keys = [(key, asyncssh.import_certificate(line))] if certificate else [key]
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        self.opened.append(self.loop.run(self._listen(listener, keys)))
        box = Box(reservation_id=uuid.uuid4(), endpoint=f"unix:{path}")
        self.rules.boxes[user.id, name] = box
        return box

    def impostor(self):
        """Listen like a gateway, with a box's key and certificate; return the port."""
        private, public = self.authority.new_host_key()
        certificate = asyncssh.import_certificate(self.authority.sign_host_key(public, 1))
        listener = socket.create_server(("127.0.0.1", 0))
        self.opened.append(self.loop.run(self._listen(listener, [(asyncssh.import_private_key(private), certificate)])))
        return listener.getsockname()[1]

    async def _listen(self, listener, keys):
        return await asyncssh.listen(
            sock=listener, server_factory=BoxServer, server_host_keys=keys, process_factory=run_command, encoding=None
        )

    def client(self, key, *, shared=False, **changes):
        """Write the client's configuration; return the file."""
        folder = self.folder / f"client-{key.name}"
        install = SshInstall(
            gateway_host="127.0.0.1",
            gateway_port=self.gateway.port,
            gateway_key=self.authority.gateway_public_line,
            host_ca=self.authority.public_line,
            known_hosts=folder / "known_hosts",
            identity_file=key,
            control_folder=files.control_folder(folder) if shared else None,
        )
        install = attrs.evolve(install, **changes)
        files.write(folder / "config", render_all([(install, [SshBox(name="work")])]))
        files.write(install.known_hosts, known_hosts(install))
        return folder / "config"

    async def connect(self, key, **options):
        """Log in with asyncssh, which can ask for anything."""
        own = {"username": "gpudev", "known_hosts": None, "agent_path": None, "config": None, "client_keys": [str(key)]}
        return await asyncssh.connect("127.0.0.1", self.gateway.port, **own | options)

    def command(self, config, *arguments):
        return ["env", "-u", "SSH_AUTH_SOCK", "ssh", "-F", str(config), "-o", "BatchMode=yes", *arguments]

    def ssh(self, config, *arguments, data=b""):
        """Run the system's ssh to its end."""
        command = self.command(config, *arguments)
        return subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE, check=False)

    def start(self, config, *arguments):
        """Start the system's ssh."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(self.command(config, *arguments), **pipes)
        self.opened.append(process)
        return process

    def session(self, config, host="work.gpudev"):
        """Open a session that answers what it is told, and wait until it does."""
        process = self.start(config, host, "cat")
        assert self.answers(process)
        return process

    def answers(self, process):
        process.stdin.write(b"still there\n")
        process.stdin.flush()
        return process.stdout.readline() == b"still there\n"

    def close(self):
        self.loop.run(self.gateway.stop())
        for thing in self.opened:
            if isinstance(thing, subprocess.Popen):
                thing.kill()
                thing.communicate(timeout=PATIENCE)
        for thing in self.opened:
            if not isinstance(thing, subprocess.Popen):
                self.loop.loop.call_soon_threadsafe(thing.close)


def until(true, seconds=PATIENCE):
    """Wait for something to become true, and say whether it did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return bool(true())


@pytest.fixture
def make_world(tmp_path):
    """Make installs with these caps."""
    made = []

    def make(**caps):
        loop = Loop()
        authority = HostAuthority(tmp_path / "authority")
        rules = Rules()
        settings = GatewaySettings(
            host="127.0.0.1", port=0, host_key=authority.gateway_key(), install="lab", caps=Caps(**caps)
        )

        async def build():
            gateway = Gateway(settings, rules)
            await gateway.start()
            return gateway

        world = World(loop, tmp_path, authority, rules, loop.run(build()))
        made.append(world)
        return world

    yield make
    for world in made:
        world.close()
        world.loop.close()


@pytest.fixture
def world(make_world):
    """An install where kim has the box `work` and lee has `secret`."""
    world = make_world()
    world.box(world.kim, "work")
    world.box(world.lee, "secret")
    return world


@pytest.fixture
def kims(world):
    """Kim's configuration."""
    return world.client(world.key("kim", world.kim))


@pytest.fixture(scope="session")
def wait_until():
    """`until(condition, seconds)`."""
    return until
