"""The SSH server of a box: publickey only, for the user `dev` only, with keys and host key from /run/gpudev."""

from __future__ import annotations

import asyncio
import logging
import os
import pathlib
import shutil
import signal
import socket
import sys
from typing import Any

import asyncssh

# Loaded now, as gpudev may be replaced while this box runs.
import encodings.idna  # isort: skip
import encodings.utf_8_sig  # isort: skip  # noqa: F401

from gpudev_sdk.local.inside.children import Children
from gpudev_sdk.local.inside.closing import close_box
from gpudev_sdk.local.inside.session import Desk, Session
from gpudev_sdk.local.inside.settings import RunFolder
from gpudev_sdk.local.inside.terminals import all_terminals, show

USER = "dev"
_LOOK_EVERY = 0.5
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: An exception that the loop reports again and again must not fill the disk.
_MOST_REPORTS = 100


def serve(config: dict[str, Any]) -> None:
    """Serve until the box is asked to end; then end everything in it."""
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    asyncio.run(_Box(config).run())


class _Door(asyncssh.SSHServer):
    """One connection: who may in, and what they may ask for."""

    def __init__(self, desk: Desk, run: RunFolder) -> None:
        self._desk = desk
        self._run = run

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.public_data in self._run.read_keys()

    def session_requested(self) -> Session:
        return Session(self._desk)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True

    def unix_connection_requested(self, dest_path: str) -> bool:
        return True


class _Box:
    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._run = RunFolder(pathlib.Path(config["run"]))
        self._ending = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_Reports())
        children = Children(loop)
        desk = Desk(children, _environment(self._config))
        desk.notice = self._run.read_notice()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        listening = socket.socket(fileno=self._config["socket"])
        acceptor = await asyncssh.listen(
            sock=listening,
            server_factory=lambda: _Door(desk, self._run),
            server_version="gpudev",
            server_host_keys=self._run.host_keys(),
            agent_forwarding=self._run.allows_agent(),
            encoding=None,
            line_editor=False,
            login_timeout=20,
            keepalive_interval=60,
            keepalive_count_max=3,
            x11_forwarding=False,
            gss_host=None,
        )
        os.write(self._config["ready"], b"ready\n")
        watching = asyncio.create_task(self._watch(acceptor, desk))
        await self._ending.wait()
        watching.cancel()
        acceptor.close()
        await close_box(children, alone=self._config["alone"])

    async def _watch(self, acceptor: asyncssh.SSHAcceptor, desk: Desk) -> None:
        """Follow what `configure` changes: keys are read at each login, the rest is taken over here."""
        seen = self._run.stamps()
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            stamps = self._run.stamps()
            if stamps == seen:
                continue
            seen = stamps
            acceptor.update(server_host_keys=self._run.host_keys(), agent_forwarding=self._run.allows_agent())
            self._tell(desk)

    def _tell(self, desk: Desk) -> None:
        notice = self._run.read_notice()
        if notice == desk.notice:
            return
        desk.notice = notice
        if notice:
            show(notice, all_terminals() if self._config["alone"] else desk.terminals)


class _Reports:
    """Says on stderr what went wrong in a connection, a bounded number of times."""

    def __init__(self) -> None:
        self._left = _MOST_REPORTS

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self._left:
            self._left -= 1
            sys.stderr.write(f"{context.get('message')}: {context.get('exception')!r}\n")


def _environment(config: dict[str, Any]) -> dict[str, str]:
    """Return what every session has; a person's own values may replace what is advice, never what names the box."""
    fixed = {
        "HOME": config["home"],
        "TMPDIR": config["tmp"],
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": shutil.which("bash", path="/bin:/usr/bin") or "/bin/sh",
        "GPUDEV_RUN": config["run"],
        "GPUDEV_NAME": config["name"],
        "SSH_CONNECTION": "127.0.0.1 0 127.0.0.1 22",
    }
    return {"PATH": _PATH, "LANG": "C.UTF-8", **config["advice"], **config["env"], **fixed}
