"""One client's connection: it proves a key, and opens channels to boxes that its person may reach. Nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Hashable

import asyncssh
import structlog

from gpudev_sdk.domain.user import User
from gpudev_sdk.errors import GpudevError
from gpudev_services.gateway.access import Access, Box, Hold
from gpudev_services.gateway.caps import Doorway
from gpudev_services.gateway.targets import Target, parse_endpoint, parse_target
from gpudev_services.gateway.tunnel import Tunnel, Turns, dial

log = structlog.get_logger()

USER_NAME = "gpudev"
#: The same words for a box that is not there and for one that is somebody else's.
NO_SUCH_BOX = asyncssh.ChannelOpenError(
    asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED,
    "there is no such dev server, or it is not active, or it is not yours: gpudev list",
)
NO_ANSWER = "the dev server does not answer; try again in a moment, or look at it: gpudev show"
CANNOT_TELL = "gpudev cannot look it up now; try again in a moment"
#: Never SHA-1.
RSA_SIGNATURES = (b"rsa-sha2-256", b"rsa-sha2-512")
#: So that a stream does not stop and wait for the other side's word on a long line.
WINDOW = 4 * 1024 * 1024


class Door(asyncssh.SSHServer):
    """What asyncssh asks about one connection."""

    def __init__(self, access: Access, doorway: Doorway[Door], turns: Turns, install: str) -> None:
        self._access = access
        self._doorway = doorway
        self._caps = doorway.caps
        self._tally = doorway.tally
        self._turns = turns
        self._install = install
        self._conn: asyncssh.SSHServerConnection | None = None
        self._tried = 0
        self._proved: tuple[User, str] | None = None
        self._opening = 0
        self.address = ""
        #: Set when the login is complete.
        self.user: User | None = None
        self.fingerprint = ""
        self.tunnels: set[Tunnel] = set()

    @property
    def person(self) -> Hashable:
        """Who logged in, for counting."""
        return None if self.user is None else self.user.id

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Count the connection."""
        self._conn = conn
        peer = conn.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self._doorway.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; its channels end with it."""
        self._doorway.leave(self)
        self._conn = None

    def drop(self) -> None:
        """End the connection and every channel of it, now."""
        for tunnel in tuple(self.tunnels):
            tunnel.close()
        if self._conn is not None:
            self._conn.abort()

    # -- login: a public key, for the one name

    def begin_auth(self, username: str) -> bool:
        """Every login has to prove something."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Keys are the one way in."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Say whether a key is somebody's. asyncssh verifies the signature right after this, without a pause."""
        self._tried += 1
        if username != USER_NAME or self._tried > 2 * self._caps.keys:
            return False
        if key.algorithm == b"ssh-rsa":
            key.all_sig_algorithms = set(RSA_SIGNATURES)
        fingerprint = key.get_fingerprint()
        try:
            user = await asyncio.to_thread(self._access.user_of_key, fingerprint)
        except GpudevError as error:
            log.warning("login not looked up", reason=error.message)
            self._tally.login("cannot-tell")
            return False
        self._proved = None if user is None or user.disabled else (user, fingerprint)
        return self._proved is not None

    def auth_completed(self) -> None:
        """Note who it is; the last key that was asked about is the one that was verified."""
        assert self._proved is not None
        self.user, self.fingerprint = self._proved
        admitted = self._doorway.admit(self)
        self._tally.login("in" if admitted else "full")
        if not admitted:
            log.warning("too many connections", user=self.user.name, address=self.address)
            self.drop()

    # -- channels: to a box, and only to a box

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> tuple[asyncssh.SSHTCPChannel[bytes], Awaitable[asyncssh.SSHTCPSession[bytes]]] | bool:
        """Open a channel to a box by its name."""
        if self._conn is None or self.user is None:
            return False
        if len(self.tunnels) + self._opening >= self._caps.channels:
            self._tally.channel("full")
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "too many channels on one connection")
        targets = parse_target(dest_host, dest_port, self._install)
        # Counted here and not when the work begins: many may be asked for in one breath.
        self._opening += 1
        return self._conn.create_tcp_channel(window=WINDOW), self._open(self.user, targets)

    async def _open(self, user: User, targets: tuple[Target, ...]) -> asyncssh.SSHTCPSession[bytes]:
        try:
            return await self._connect(user, targets)
        except GpudevError as error:
            log.warning("box not looked up", user=user.name, reason=error.message)
            self._tally.channel("cannot-tell")
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, CANNOT_TELL) from error
        finally:
            self._opening -= 1

    async def _connect(self, user: User, targets: tuple[Target, ...]) -> Tunnel:
        box = await asyncio.to_thread(self._find, user.id, targets)
        endpoint = None if box is None else parse_endpoint(box.endpoint)
        if box is None or endpoint is None:
            self._tally.channel("refused")
            raise NO_SUCH_BOX
        try:
            upstream = await dial(endpoint, self._turns)
        except OSError as error:
            log.warning("box does not answer", reservation=str(box.reservation_id), reason=str(error))
            self._tally.channel("no-answer")
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, NO_ANSWER) from error
        tunnel = Tunnel(upstream, box.reservation_id, self.tunnels.discard)
        with contextlib.ExitStack() as otherwise:
            otherwise.callback(tunnel.close)
            # Asked after dialling, which may take long: what ended meanwhile is not opened.
            may = await asyncio.to_thread(self._access.may_reach, user.id, self.fingerprint, box.reservation_id)
            if not may or self._conn is None:
                self._tally.channel("refused")
                raise NO_SUCH_BOX
            otherwise.pop_all()
        self.tunnels.add(tunnel)
        self._tally.channel("open")
        return tunnel

    def _find(self, user_id: uuid.UUID, targets: tuple[Target, ...]) -> Box | None:
        found = (self._access.find_box(user_id, target.name, target.owner) for target in targets)
        return next((box for box in found if box is not None), None)

    # -- what is open, for revocation

    def holds(self) -> set[Hold]:
        """Return what this connection has open."""
        if self.user is None:
            return set()
        whole = Hold(self.user.id, self.fingerprint)
        return {whole, *(Hold(self.user.id, self.fingerprint, tunnel.reservation_id) for tunnel in self.tunnels)}

    def close_all_but(self, held: frozenset[Hold]) -> int:
        """Close what is not allowed any more; return how much that was."""
        if self.user is None:
            return 0
        if Hold(self.user.id, self.fingerprint) not in held:
            self.drop()
            return 1
        lost = [t for t in self.tunnels if Hold(self.user.id, self.fingerprint, t.reservation_id) not in held]
        for tunnel in lost:
            tunnel.close()
        return len(lost)
