"""Has the system's OpenSSH sign: with a key file, with an agent, or on a hardware token. No secret key is read here.

Without a terminal nothing is ever asked for: ssh-keygen gets no standard input and no way to call a password dialog.
"""

from __future__ import annotations

import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import attrs

from gpudev_sdk.errors import InvalidRequest, NotSignedIn
from gpudev_sdk.ssh.keys import PublicKey, parse_public_key
from gpudev_sdk.ssh.signature import Signature, parse_signature

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk", "id_rsa")
TIMEOUT = 60.0
_FINGERPRINT = re.compile(r"\d+ (SHA256:[A-Za-z0-9+/]{43})(?: |$)")
INSTALL = "Install OpenSSH's client: apt install openssh-client (or your system's like)."


@attrs.frozen(kw_only=True)
class Signed:
    """A signature and the key that made it."""

    key: PublicKey
    signature: str = attrs.field(repr=False)


#: What is to be signed depends on the key: (fingerprint) -> message.
Message = Callable[[str], bytes]


def sign(key: pathlib.Path | None, namespace: str, message: Message) -> Signed:
    """Sign with this key file, or with the first of the default keys and the agent's keys that can.

    Raises NotSignedIn, saying why, if none can.
    """
    if key is not None:
        return _sign(key, namespace, message, may_ask=sys.stdin is not None and sys.stdin.isatty())
    with tempfile.TemporaryDirectory(prefix="gpudev-") as folder:
        return _sign_with_any(pathlib.Path(folder), namespace, message)


def _sign_with_any(folder: pathlib.Path, namespace: str, message: Message) -> Signed:
    first_refusal: NotSignedIn | None = None
    for candidate in _candidates(folder):
        try:
            return _sign(candidate, namespace, message, may_ask=False)
        except NotSignedIn as error:
            first_refusal = first_refusal or error
    default = next(_default_keys(), None)
    if default is not None and sys.stdin is not None and sys.stdin.isatty():
        return _sign(default, namespace, message, may_ask=True)
    raise first_refusal or NotSignedIn(
        "there is no SSH key to log in with",
        hint="Make one: ssh-keygen -t ed25519, and have an admin enrol its .pub file.",
    )


def _candidates(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Default keys first, as ssh itself tries them; then the agent's, each as a file of its public part."""
    yield from _default_keys()
    for number, key in enumerate(agent_keys()):
        public = folder / f"{number}.pub"
        public.write_text(f"{key.line}\n", encoding="ascii")
        yield public


def _default_keys() -> Iterator[pathlib.Path]:
    # As OpenSSH does: the home of the password database, not that of the environment.
    folder = pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh"
    for name in DEFAULT_KEYS:
        for path in (folder / name, folder / f"{name}.pub"):
            if path.is_file():
                yield path
                break


def agent_keys() -> list[PublicKey]:
    """Return the agent's keys that may log in; none without an agent."""
    listed = _run(["ssh-add", "-L"])
    found = []
    for line in listed.stdout.splitlines() if listed.returncode == 0 else []:
        try:
            found.append(parse_public_key(line))
        except InvalidRequest:
            continue
    return found


def _sign(key: pathlib.Path, namespace: str, message: Message, *, may_ask: bool) -> Signed:
    if not key.is_file():
        raise NotSignedIn(f"there is no key file {key}", hint="Name one that is there, or leave the setting empty.")
    fingerprint = _fingerprint(key)
    with tempfile.TemporaryDirectory(prefix="gpudev-") as folder:
        file = pathlib.Path(folder) / "login"
        file.write_bytes(message(fingerprint))
        command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", namespace, str(file)]
        done = _run(command, may_ask=may_ask)
        output = file.with_name("login.sig")
        if done.returncode != 0 or not output.exists():
            raise _refusal(key, done.stderr)
        text = output.read_text(encoding="ascii")
    made = _parse(key, text)
    if made.key.fingerprint != fingerprint:
        raise NotSignedIn(f"{key} and its .pub file do not belong together", hint=f"Remove {key}.pub, or make it anew.")
    return Signed(key=made.key, signature=text)


def _fingerprint(key: pathlib.Path) -> str:
    """Return a key's fingerprint; ssh-keygen reads it without the passphrase."""
    done = _run(["ssh-keygen", "-l", "-E", "sha256", "-f", str(key)])
    found = _FINGERPRINT.match(done.stdout)
    if done.returncode != 0 or found is None:
        raise NotSignedIn(
            f"{key} cannot be read as an SSH key",
            hint=f"Look at it: ssh-keygen -l -f {key}; its .pub file has to be there.",
        )
    return found[1]


def _parse(key: pathlib.Path, text: str) -> Signature:
    try:
        return parse_signature(text)
    except InvalidRequest as error:
        raise NotSignedIn(f"the key {key} cannot be used to log in: {error.message}", hint=error.hint) from error


def _refusal(key: pathlib.Path, complaint: str) -> NotSignedIn:
    told = complaint.lower()
    if "passphrase" in told:
        return NotSignedIn(f"the key {key} has a passphrase and no agent holds it", hint=f"Unlock it: ssh-add {key}")
    if "load public key" in told:
        return NotSignedIn(f"{key} has no .pub file beside it", hint=f"Make it: ssh-keygen -y -f {key} > {key}.pub")
    if "agent" in told or "no private key" in told or "no such file" in told:
        return NotSignedIn(
            f"the private part of {key} is neither there nor in an agent", hint=f"Load it: ssh-add {key}"
        )
    reason = (complaint.strip().splitlines() or ["no reason given"])[-1][:200]
    return NotSignedIn(
        f"ssh-keygen could not sign with {key}: {reason}", hint=f"Try by hand: ssh-keygen -Y sign -f {key} …"
    )


def _run(command: list[str], *, may_ask: bool = False) -> subprocess.CompletedProcess[str]:
    # `env` and not this process's environment: nothing but mains read that.
    if shutil.which(command[0]) is None:
        raise NotSignedIn(f"there is no {command[0]} on this machine", hint=INSTALL)
    quiet = [] if may_ask else ["env", "SSH_ASKPASS_REQUIRE=never"]
    try:
        return subprocess.run(
            [*quiet, *command],
            stdin=None if may_ask else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=None if may_ask else TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotSignedIn(
            f"{command[0]} did not answer within {TIMEOUT:.0f} s", hint="See that the agent answers."
        ) from error
