"""The client's ssh configuration as text. Pure: `files` writes it.

Whatever comes from a server is checked by grammar before it is written, so that no reply can add a line, a host or a
command. `ProxyJump` to the install's gateway is the only thing in it that makes ssh run anything.

One install is reached as `NAME.gpudev`; every other one is called by an alias, and its boxes are `NAME.ALIAS.gpudev`.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
from collections.abc import Sequence

import attrs

from gpudev_sdk.domain.names import NAME
from gpudev_sdk.errors import ConfigError, InvalidRequest
from gpudev_sdk.ssh.audience import is_host
from gpudev_sdk.ssh.keys import parse_public_key

SUFFIX = "gpudev"
GATEWAY = "gateway"
GATEWAY_USER, BOX_USER = "gpudev", "dev"
HEAD = "# Written by gpudev, and written anew when your boxes change.\n"
#: A shared connection's socket: ssh appends a dot and 16 characters while it makes it, and a path ends within 107 bytes.
MAX_CONTROL_FOLDER = 107 - len("/01234567-") - 40 - len(".0123456789abcdef")
PERSIST_SECONDS = 600
_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f]|\$\{')


@attrs.frozen(kw_only=True)
class SshInstall:
    """How to reach an install: what its server said of its gateway, and where our own files for it are."""

    gateway_host: str
    gateway_port: int
    #: Public key lines: the gateway's own, and the CA of its boxes.
    gateway_key: str
    host_ca: str
    known_hosts: pathlib.Path
    #: None: its boxes are `NAME.gpudev`; otherwise `NAME.ALIAS.gpudev`.
    alias: str | None = None
    #: A key to offer besides those that ssh offers by itself.
    identity_file: pathlib.Path | None = None
    #: A 0700 folder for shared connections (see `files.control_folder`); None: every ssh connects by itself.
    control_folder: pathlib.Path | None = None

    @property
    def domain(self) -> str:
        """What its names end in."""
        return SUFFIX if self.alias is None else f"{self.alias}.{SUFFIX}"

    @property
    def gateway(self) -> str:
        """What its gateway is called in the configuration."""
        return f"{GATEWAY}.{self.domain}"


@attrs.frozen(kw_only=True)
class SshBox:
    """A box with an entry of its own: `name` is `NAME`, or `NAME.OWNER` for another person's."""

    name: str
    #: Only for a box that was reserved so and is not shared.
    forward_agent: bool = False


def box_alias(install: SshInstall, name: str) -> str:
    """Return what `ssh` is given for a box."""
    return f"{_box_name(name)}.{install.domain}"


def check_install(install: SshInstall) -> SshInstall:
    """Return `install` if everything in it may be written; raise InvalidRequest naming what a server should not have said."""
    if not is_host(install.gateway_host.lower()):
        raise _hostile("the address of its gateway", install.gateway_host)
    if type(install.gateway_port) is not int or not 0 < install.gateway_port < 65536:
        raise _hostile("the port of its gateway", str(install.gateway_port))
    for key in (install.gateway_key, install.host_ca):
        parse_public_key(key)
    if install.alias is not None and (not NAME.match(install.alias) or install.alias == GATEWAY):
        raise _hostile("its own name", install.alias)
    return install


def render(install: SshInstall, boxes: Sequence[SshBox], others: Sequence[str] = ()) -> str:
    """Return the entries of one install: its gateway, a plain entry a box (for lists that skip patterns), and the pattern.

    `others` are the aliases of other installs; an install without an alias leaves their names to them.
    """
    check_install(install)
    blocks = [_gateway_block(install)]
    blocks += [_box_block(install, box) for box in boxes]
    blocks.append(_pattern_block(install, others))
    return "\n".join(blocks)


def render_all(installs: Sequence[tuple[SshInstall, Sequence[SshBox]]]) -> str:
    """Return one whole configuration for several installs; at most one of them is without an alias."""
    aliases = [install.alias for install, _ in installs if install.alias is not None]
    if len(set(aliases)) != len(aliases) or len(installs) - len(aliases) > 1:
        raise ConfigError("two servers have the same ssh name", hint="Log out of one and in again with --name.")
    # ssh takes the first value it finds: names below an alias come before the pattern that fits them as well.
    ordered = sorted(installs, key=lambda entry: entry[0].alias is None)
    return "\n".join([HEAD, *(render(install, boxes, aliases) for install, boxes in ordered)])


def known_hosts(install: SshInstall) -> str:
    """Return the keys to believe: the gateway's own for the gateway alone, and the CA for every name of a box."""
    check_install(install)
    gateway, ca = parse_public_key(install.gateway_key).line, parse_public_key(install.host_ca).line
    # A box's certificate holds for every name, so the CA must not speak for the gateway.
    boxes = ",".join(dict.fromkeys([f"*.{SUFFIX}", f"!{GATEWAY}.{SUFFIX}", f"!{install.gateway}"]))
    return f"{HEAD}{install.gateway} {gateway}\n@cert-authority {boxes} {ca}\n"


def _gateway_block(install: SshInstall) -> str:
    return _block(
        install.gateway,
        [
            f"HostName {install.gateway_host.lower()}",
            f"Port {install.gateway_port}",
            f"User {GATEWAY_USER}",
            f"HostKeyAlias {install.gateway}",
            *_trust(install),
            "ControlMaster no",
            "ControlPath none",
        ],
    )


def _box_block(install: SshInstall, box: SshBox) -> str:
    name = _box_name(box.name)
    # The gateway knows its boxes without our alias for it.
    lines = [f"HostName {name}.{SUFFIX}"]
    if box.forward_agent and "." not in name:
        lines.append("ForwardAgent yes")
    return _block(f"{name}.{install.domain}", lines)


def _pattern_block(install: SshInstall, others: Sequence[str]) -> str:
    skipped = [f"!{install.gateway}"]
    if install.alias is None:
        skipped += [f"!*.{_label(other)}.{SUFFIX}" for other in others]
    shared = ["ControlMaster no", "ControlPath none"]
    if install.control_folder is not None:
        path = _path(install.control_folder, most=MAX_CONTROL_FOLDER)
        shared = [
            "ControlMaster auto",
            f"ControlPath {_quoted(f'{path}/{_tag(install)}-%C')}",
            f"ControlPersist {PERSIST_SECONDS}",
        ]
    return _block(
        " ".join([f"*.{install.domain}", *skipped]),
        [f"ProxyJump {install.gateway}", f"User {BOX_USER}", *_trust(install), *shared],
    )


def _trust(install: SshInstall) -> list[str]:
    lines = [
        f"UserKnownHostsFile {_quoted(_path(install.known_hosts))}",
        "GlobalKnownHostsFile /dev/null",
        "StrictHostKeyChecking yes",
        "CheckHostIP no",
        "UpdateHostKeys no",
        "PreferredAuthentications publickey",
        # With a key of its own, ssh is not to try a whole agent's first: the gateway takes few.
        f"IdentitiesOnly {'no' if install.identity_file is None else 'yes'}",
        "ForwardAgent no",
        "ForwardX11 no",
        "ServerAliveInterval 15",
        "ServerAliveCountMax 4",
    ]
    if install.identity_file is not None:
        lines.append(f"IdentityFile {_quoted(_path(install.identity_file))}")
    return lines


def _block(pattern: str, lines: Sequence[str]) -> str:
    return "\n".join([f"Host {pattern}", *(f"  {line}" for line in lines), ""])


def _tag(install: SshInstall) -> str:
    """Return what keeps shared connections of installs apart: ssh itself sees the same host name for both."""
    return hashlib.sha256(install.domain.encode()).hexdigest()[:8]


def _label(name: str) -> str:
    if not NAME.match(name):
        raise _hostile("a name", name)
    return name


def _box_name(name: str) -> str:
    labels = name.split(".")
    if not 1 <= len(labels) <= 2 or not all(NAME.match(label) for label in labels) or name == GATEWAY:
        raise _hostile("the name of a box", name)
    return name


def _path(path: pathlib.Path, most: int = 4096) -> str:
    """Return a path of this machine with what ssh would expand in it escaped."""
    text = str(path)
    if not path.is_absolute() or _UNSAFE.search(text):
        hint = "Set GPUDEV_CONFIG to a folder with a plain name."
        raise ConfigError(f"the path {text!r} cannot stand in an ssh configuration", hint=hint)
    if len(text.encode()) > most:
        raise ConfigError(f"the path {text!r} is too long for a socket", hint="Set GPUDEV_CONFIG to a shorter one.")
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    return f'"{text}"'


def _hostile(what: str, value: str) -> InvalidRequest:
    shown = value if len(value) <= 60 else value[:57] + "..."
    return InvalidRequest(
        f"the server gave {shown!r} as {what}, which cannot be that",
        hint="Nothing was written. See that you talk to the server you mean.",
    )
