"""The SSH gateway: the one door to every box.

It authenticates a person by key, finds the box by a reservation that the person may reach, and forwards bytes to its
SSH server. It runs no session, forwards nothing back, and dials nothing but endpoints of rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib

import asyncssh
import attrs
import structlog

from gpudev_sdk.errors import ConfigError, GpudevError
from gpudev_services.gateway.access import Access
from gpudev_services.gateway.caps import Caps, Doorway
from gpudev_services.gateway.door import Door
from gpudev_services.gateway.tally import Tally
from gpudev_services.gateway.tunnel import Turns

log = structlog.get_logger()

#: An access that ended is closed within this, whether or not the bell was heard.
SWEEP_SECONDS = 5.0
#: AES-GCM is several times faster here than the client's first choice; every OpenSSH since 6.2 has it.
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


@attrs.frozen(kw_only=True)
class GatewaySettings:
    """Where the gateway listens, and as whom."""

    host: str
    #: 0 is any free one; `Gateway.port` says which.
    port: int
    #: The file of its own private key.
    host_key: pathlib.Path
    #: What people call this install: there, `work.lab.gpudev` is one's own `work`.
    install: str = "gpudev"
    caps: Caps = attrs.field(factory=Caps)


class Gateway:
    """Listens, and closes what is not allowed any more. Everything runs on the loop that called `start`."""

    def __init__(self, settings: GatewaySettings, access: Access) -> None:
        self._settings = settings
        self._access = access
        self._doorway: Doorway[Door] = Doorway(settings.caps)
        self._turns = Turns()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._again = asyncio.Event()
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port on which it listens."""
        if self._acceptor is None:
            raise RuntimeError("the gateway has not been started")
        return self._acceptor.get_port()

    @property
    def listens(self) -> bool:
        """Whether people can come in."""
        return self._acceptor is not None

    @property
    def tally(self) -> Tally:
        """How logins and channels came out since the start."""
        return self._doorway.tally

    def connections(self) -> dict[str, int]:
        """Return how many connections there are by whether they have logged in. From any thread."""
        return {"in": len(self._doorway.known), "silent": self._doorway.silent}

    async def start(self) -> None:
        """Listen; raise ConfigError if the address or the key cannot be used."""
        where = f"{self._settings.host}:{self._settings.port}"
        self._loop = asyncio.get_running_loop()
        try:
            key = asyncssh.read_private_key(self._settings.host_key)
        except (OSError, asyncssh.KeyImportError) as error:
            raise ConfigError(f"the gateway's key {self._settings.host_key} cannot be read: {error}") from error
        try:
            self._acceptor = await self._listen(key)
        except OSError as error:
            hint = "Choose another address: gateway = HOST:PORT in the configuration."
            raise ConfigError(f"the SSH gateway cannot listen on {where}: {error.strerror}", hint=hint) from error
        self._sweeper = asyncio.create_task(self._sweep(), name="gateway-sweep")

    async def _listen(self, key: asyncssh.SSHKey) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            self._settings.host,
            self._settings.port,
            server_factory=self._door,
            server_host_keys=[key],
            server_version="gpudev",
            encryption_algs=list(CIPHERS),
            kex_algs="-*-sha1,rsa*",
            signature_algs="-ssh-rsa",
            compression_algs=["none"],
            login_timeout=self._settings.caps.login_seconds,
            keepalive_interval=30,
            keepalive_count_max=4,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_pty=False,
            allow_scp=False,
            public_key_auth=True,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            reuse_address=True,
            backlog=256,
            config=None,
        )

    def _door(self) -> Door:
        return Door(self._access, self._doorway, self._turns, self._settings.install)

    async def stop(self) -> None:
        """Listen no more and close everything."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        if self._acceptor is not None:
            self._acceptor.close()
            for door in self._doorway.all:
                door.drop()
            await self._acceptor.wait_closed()

    def recheck(self) -> None:
        """Look now at whether everything open is still allowed. From any thread: the bell calls it."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._again.set)

    async def _sweep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), SWEEP_SECONDS)
            self._again.clear()
            await self._close_what_ended()

    async def _close_what_ended(self) -> None:
        """Close what is not allowed any more. When that cannot be told, nothing is closed and it is asked again."""
        holds = {hold for door in self._doorway.known for hold in door.holds()}
        if not holds:
            return
        try:
            held = await asyncio.to_thread(self._access.still_held, holds)
        except GpudevError as error:
            log.warning("access not rechecked", reason=error.message)
            return
        # What was opened meanwhile was checked when it was opened.
        closed = sum(door.close_all_but(held | (door.holds() - holds)) for door in self._doorway.known)
        if closed:
            log.info("closed what may not be open any more", closed=closed)
