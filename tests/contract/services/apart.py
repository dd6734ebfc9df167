"""An install of separate processes on one machine: a PostgreSQL, and whatever services a test starts over it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import uuid

import attrs
import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded import Embedded
from gpudev_services.cluster.first_secrets import Wanted, fresh
from gpudev_services.cluster.secrets import private_text
from gpudev_services.tls import ensure_certificates
from tests.fix_database import KILLABLE
from tests.fix_install import BIN, Install, until

CONFIG = """
name = "lab"
gateway = "127.0.0.1:{gateway}"
processors = 2
[limits]
grace_seconds = 2
stop_allowance_seconds = 5
[logins.ssh]
provider = "ssh"
[backends.local]
compute = "local"
storage = "local"
[backends.local.local]
cpu_slots = 4
free_floor_bytes = 1000000
"""
#: Which secrets each service is given, and no others.
SEEN = {
    "api": ("api-dsn", "nonce-secret", "host-ca.pub", "gateway-key.pub", "tls.crt", "tls.key", "ca.crt"),
    "gateway": ("api-dsn", "gateway-key"),
    "processor": ("engine-dsn", "host-ca", "control-plane-id"),
    "availability": ("engine-dsn", "host-ca", "control-plane-id"),
    "expiry": ("engine-dsn",),
    "migrate": ("owner-dsn", "api-dsn", "engine-dsn"),
    "admin-user": ("api-dsn",),
}


def free_port() -> int:
    """Return a port that nobody has, and that the kernel gives to nobody by itself: it is used only later."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with contextlib.suppress(OSError), contextlib.closing(socket.create_server(("127.0.0.1", port))):
            return port


def with_password(embedded: Embedded, role: str, database: str = "gpudev") -> str:
    """Return how a role connects, with the password in it as a Secret has it."""
    parts = conninfo_to_dict(embedded.dsn(role, database))
    passfile = pathlib.Path(str(parts.pop("passfile")))
    return make_conninfo("", **parts, password=passfile.read_text().strip().rsplit(":", 1)[1])


@attrs.define
class Service:
    """One process of the install."""

    name: str
    command: list
    environment: dict
    log: pathlib.Path
    ports: dict
    process: subprocess.Popen | None = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def end(self, within=15):
        """SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)

    @property
    def said(self):
        return self.log.read_text()

    def lines(self):
        """Return what it logged; every line must be a JSON object."""
        return [json.loads(line) for line in self.said.splitlines()]


@attrs.define
class Apart:
    """The install."""

    root: pathlib.Path
    embedded: Embedded
    gateway_port: int = attrs.field(factory=free_port)
    services: list = attrs.field(factory=list)
    secrets: dict = attrs.field(factory=dict)
    pin: str = ""
    ca: bytes = b""

    @property
    def config(self):
        return self.root / "config.toml"

    @property
    def dsn(self):
        return self.embedded.dsn(roles.OWNER)

    def prepare(self):
        """Write the configuration and every secret."""
        self.config.write_text(CONFIG.format(gateway=self.gateway_port))
        certificates = ensure_certificates(self.root / "tls", ["127.0.0.1"])
        self.pin, self.ca = certificates.pin, certificates.ca_pem
        self.secrets = {name: value for name, value in fresh(Wanted()).items() if not name.endswith("-password")}
        self.secrets |= {
            "owner-dsn": with_password(self.embedded, roles.OWNER).encode(),
            "api-dsn": with_password(self.embedded, roles.API).encode(),
            "engine-dsn": with_password(self.embedded, roles.ENGINE).encode(),
            "tls.crt": certificates.certificate.read_bytes(),
            "tls.key": certificates.key.read_bytes(),
            "ca.crt": certificates.ca_pem,
        }

    def folder_of(self, word, **changed):
        """Return a folder with the secrets of a service; a secret that is None is left out."""
        made = pathlib.Path(tempfile.mkdtemp(prefix=f"{word}-", dir=self.root))
        given = {name: self.secrets[name] for name in SEEN[word]} | changed
        for name, content in given.items():
            if content is not None:
                (made / name).write_bytes(content)
                (made / name).chmod(0o400)
        return made

    @property
    def environment(self):
        """Return what a service runs with: as in a container, no home and nothing of whoever runs the tests."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return kept | {"HOME": "/nonexistent", "TMPDIR": str(self.root / "tmp"), "PATH": f"{BIN}:{os.environ['PATH']}"}

    def run(self, word, *words, secrets=None, config=None, timeout=60):
        """Run a command that ends."""
        folder = secrets or self.folder_of(word)
        return subprocess.run(
            [BIN / "gpudev-services", word, "--config", config or self.config, "--secrets", folder, *words],
            env=self.environment, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def service(self, name, word, *words, secrets=None, config=None, python=()):
        """Return a service that is not started yet; its ports are chosen."""
        ports = {}
        more = list(words)
        if word == "api":
            ports["api"] = free_port()
            more += ["--listen", f"127.0.0.1:{ports['api']}", "--public-origin", f"https://127.0.0.1:{ports['api']}"]
        if word == "gateway":
            more += ["--listen", f"127.0.0.1:{self.gateway_port}"]
        if word == "processor":
            # Only because the backend is this machine, whose boxes both processors have to find.
            more += ["--scratch", str(self.root / "scratch")]
        if word in ("processor", "gateway", "api"):
            ports["health"] = free_port()
            more += ["--health", f"127.0.0.1:{ports['health']}"]
        folder = str(secrets or self.folder_of(word))
        command = [sys.executable, *python, "-m", "gpudev_services", word]
        made = Service(
            name=name,
            command=[*command, "--config", str(config or self.config), "--secrets", folder, *more],
            environment=self.environment,
            log=self.root / f"{name}.log",
            ports=ports,
        )
        self.services.append(made)
        return made

    @property
    def trust(self):
        return ssl.create_default_context(cadata=self.ca.decode())

    def address(self, api):
        """Return what a person gives to `gpudev login`."""
        return f"https://127.0.0.1:{api.ports['api']}#sha256={self.pin}"

    def get(self, service, path="/readyz", token=None):
        """Ask a service; return (status, text), or (0, why) when it does not answer."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        people = path.startswith("/v1") and "api" in service.ports
        scheme, port = ("https", service.ports["api"]) if people else ("http", service.ports["health"])
        try:
            answer = httpx2.get(f"{scheme}://127.0.0.1:{port}{path}", headers=headers, verify=self.trust, timeout=10)
        except httpx2.HTTPError as error:
            return 0, str(error)
        return answer.status_code, answer.text

    def until_ready(self, *services, within=60):
        for service in services:
            until(lambda one=service: self.get(one)[0] == 200, within=within)

    def close(self):
        for service in self.services:
            if service.process is not None and service.process.poll() is None:
                service.kill()
        for path in (self.root / "scratch").rglob("init.json"):
            pid = json.loads(path.read_text())["pid"]
            command = pathlib.Path(f"/proc/{pid}/cmdline")
            if command.exists() and b"gpudev_sdk.local" in command.read_bytes():
                os.kill(pid, signal.SIGKILL)
        self.embedded.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def make() -> Apart:
    """Make the folders and the database of an install that was not migrated yet."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="gpudev-s-", dir="/tmp"))
    (root / "tmp").mkdir()
    embedded = Embedded(root / "pg", settings=KILLABLE, ballast_bytes=1024)
    made = Apart(root, embedded)
    try:
        embedded.start()
        made.prepare()
    except BaseException:
        made.close()
        raise
    return made


@attrs.define
class Person(Install):
    """Somebody with a client of their own, and no data folder."""

    @property
    def environment(self):
        return {name: value for name, value in super().environment.items() if name != "GPUDEV_DATA"}

    @property
    def key(self):
        return self.root / f"{self.client}-key"

    def make_key(self):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def ssh_command(self, name, *command):
        inside = super().ssh_command(name, *command)
        return [*inside[:1], "-i", str(self.key), *inside[1:]]

    @property
    def token(self):
        """Return the token that the last login gave."""
        newest = max((self.root / self.client / "tokens").iterdir(), key=lambda path: path.stat().st_mtime)
        return json.loads(newest.read_text())["token"]


def other_key() -> bytes:
    return private_text(Ed25519PrivateKey.generate())


def some_uuid() -> bytes:
    return str(uuid.uuid4()).encode()
