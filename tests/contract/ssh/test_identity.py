"""The login `ssh`, signed by the system's ssh-keygen and verified by ours."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import pathlib
import pty
import struct
import subprocess
import sys
import uuid
from collections.abc import Iterator

import asyncssh
import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gpudev_sdk import plugins
from gpudev_sdk.domain.user import Challenge, Credentials
from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.providers import Context
from gpudev_sdk.ssh import login
from gpudev_sdk.ssh.blobs import string
from gpudev_sdk.ssh.identity import SshIdentity, SshSettings
from gpudev_sdk.ssh.keys import parse_public_key

AUDIENCE = "https://lab:7070#sha256=" + "a" * 64


def keygen(path: pathlib.Path, *options: str) -> pathlib.Path:
    options = options or ("-t", "ed25519")
    passphrase = () if "-N" in options else ("-N", "")
    subprocess.run(["ssh-keygen", "-q", *options, *passphrase, "-f", str(path)], check=True)
    return path


def identity(key: pathlib.Path | None = None) -> SshIdentity:
    context = Context(install_id=uuid.uuid4(), name="ssh", data_folder=pathlib.Path("/nowhere"))
    return SshIdentity(SshSettings(key="" if key is None else str(key)), context)


@pytest.fixture
def challenge() -> Challenge:
    made = login.issue_challenge(b"s" * 32, dt.datetime.now(dt.UTC))
    return attrs.evolve(made, audience=AUDIENCE)


@pytest.fixture
def key(tmp_path: pathlib.Path) -> pathlib.Path:
    return keygen(tmp_path / "key")


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def agent(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
    finally:
        process.terminate()
        process.communicate()


def test_the_plugin_is_found_by_its_name() -> None:
    assert plugins.identity("ssh") is SshIdentity


@pytest.mark.parametrize(
    "options",
    [("-t", "ed25519"), ("-t", "ecdsa", "-b", "256"), ("-t", "ecdsa", "-b", "521"), ("-t", "rsa", "-b", "3072")],
    ids=" ".join,
)
def test_a_signature_proves_its_key(tmp_path: pathlib.Path, challenge: Challenge, options: tuple[str, ...]) -> None:
    path = keygen(tmp_path / "key", *options)
    shown = identity(path).get_caller_identity(challenge)
    proved = identity().verify_credentials(shown, challenge)
    assert proved.subject == parse_public_key(path.with_name("key.pub").read_text()).fingerprint


def test_a_key_without_its_public_file_signs(key: pathlib.Path, challenge: Challenge) -> None:
    key.with_name("key.pub").unlink()
    assert identity().verify_credentials(identity(key).get_caller_identity(challenge), challenge)


@pytest.mark.usefixtures("agent")
def test_the_agent_signs_for_a_public_file(key: pathlib.Path, challenge: Challenge) -> None:
    subprocess.run(["ssh-add", "-q", str(key)], check=True)
    key.unlink()
    shown = identity(key.with_name("key.pub")).get_caller_identity(challenge)
    assert identity().verify_credentials(shown, challenge)


@pytest.mark.usefixtures("agent")
def test_the_agent_signs_for_a_key_with_a_passphrase(tmp_path: pathlib.Path, challenge: Challenge) -> None:
    plain = keygen(tmp_path / "locked")
    subprocess.run(["ssh-add", "-q", str(plain)], check=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(plain)], check=True, capture_output=True
    )
    assert identity().verify_credentials(identity(plain).get_caller_identity(challenge), challenge)


def test_a_key_with_a_passphrase_and_no_agent_says_so_and_does_not_wait(
    tmp_path: pathlib.Path, challenge: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    dialog = tmp_path / "dialog"
    dialog.write_text(f"#!/bin/sh\ntouch {asked}\necho secret\n")
    dialog.chmod(0o700)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("SSH_ASKPASS", str(dialog))
    with pytest.raises(NotSignedIn, match="has a passphrase and no agent") as refused:
        identity(keygen(tmp_path / "key", "-t", "ed25519", "-N", "secret")).get_caller_identity(challenge)
    assert refused.value.hint == f"Unlock it: ssh-add {tmp_path / 'key'}"
    assert not asked.exists()


def test_a_terminal_is_asked_for_the_passphrase(tmp_path: pathlib.Path) -> None:
    path = keygen(tmp_path / "key", "-t", "ed25519", "-N", "secret")
    script = (
        "import pathlib; from gpudev_sdk.ssh.signing import sign\n"
        f"print('proved', sign(pathlib.Path({str(path)!r}), 'n', lambda key: b'm').key.kind)\n"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", script])
    said = b""
    try:
        while b"proved ssh-ed25519" not in said:
            said += os.read(terminal, 1000)
            if b"passphrase" in said and b"proved" not in said:
                os.write(terminal, b"secret\n")
    finally:
        os.close(terminal)
        _, status = os.waitpid(child, 0)
    assert status == 0 or os.WIFSIGNALED(status)


def test_a_lone_public_file_says_so(key: pathlib.Path, challenge: Challenge) -> None:
    key.unlink()
    with pytest.raises(NotSignedIn, match="neither there nor in an agent"):
        identity(key.with_name("key.pub")).get_caller_identity(challenge)


def test_a_missing_key_file_says_so(tmp_path: pathlib.Path, challenge: Challenge) -> None:
    with pytest.raises(NotSignedIn, match="no key file"):
        identity(tmp_path / "none").get_caller_identity(challenge)


def test_a_file_that_is_no_key_says_so(tmp_path: pathlib.Path, challenge: Challenge) -> None:
    (tmp_path / "notes").write_text("hello")
    with pytest.raises(NotSignedIn, match="cannot be read as an SSH key"):
        identity(tmp_path / "notes").get_caller_identity(challenge)


def test_a_public_file_of_another_key_says_so(tmp_path: pathlib.Path, key: pathlib.Path, challenge: Challenge) -> None:
    keygen(tmp_path / "other").with_name("other.pub").rename(tmp_path / "key.pub")
    with pytest.raises(NotSignedIn):
        identity(key).get_caller_identity(challenge)


def test_a_machine_without_openssh_says_so(
    key: pathlib.Path, challenge: Challenge, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(NotSignedIn, match="no ssh-keygen on this machine"):
        identity(key).get_caller_identity(challenge)


# -- what a server refuses


def refused(credentials: Credentials, challenge: Challenge) -> bool:
    with pytest.raises(NotSignedIn, match="the login was not accepted"):
        identity().verify_credentials(credentials, challenge)
    return True


def test_a_signature_for_another_audience_is_refused(key: pathlib.Path, challenge: Challenge) -> None:
    shown = identity(key).get_caller_identity(attrs.evolve(challenge, audience="https://evil:7070"))
    assert refused(shown, challenge)


def test_a_signature_of_another_challenge_is_refused(key: pathlib.Path, challenge: Challenge) -> None:
    shown = identity(key).get_caller_identity(challenge)
    other = attrs.evolve(login.issue_challenge(b"s" * 32, dt.datetime.now(dt.UTC)), audience=AUDIENCE)
    assert refused(shown, other)


def test_a_signature_in_the_name_of_another_key_is_refused(
    tmp_path: pathlib.Path, key: pathlib.Path, challenge: Challenge
) -> None:
    shown = identity(key).get_caller_identity(challenge)
    other = keygen(tmp_path / "other").with_name("other.pub").read_text()
    assert refused(attrs.evolve(shown, fields=shown.fields | {"public_key": other}), challenge)


def test_a_signature_for_another_purpose_is_refused(key: pathlib.Path, challenge: Challenge) -> None:
    public = parse_public_key(key.with_name("key.pub").read_text())
    message = login.payload(challenge, public.fingerprint)
    command = ["ssh-keygen", "-Y", "sign", "-q", "-f", str(key), "-n", "git"]
    made = subprocess.run(command, input=message, capture_output=True, check=True).stdout.decode()
    assert refused(Credentials(provider="ssh", fields={"public_key": public.line, "signature": made}), challenge)


def test_every_changed_bit_of_a_signature_is_noticed(key: pathlib.Path, challenge: Challenge) -> None:
    shown = identity(key).get_caller_identity(challenge)
    lines = shown.fields["signature"].strip().splitlines()
    raw = base64.b64decode("".join(lines[1:-1]))
    for at in range(0, len(raw), 7):
        changed = base64.b64encode(raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1 :]).decode()
        fields = shown.fields | {"signature": f"{lines[0]}\n{changed}\n{lines[-1]}"}
        assert refused(attrs.evolve(shown, fields=fields), challenge)


@pytest.mark.parametrize(
    "fields",
    [{}, {"public_key": "x"}, {"public_key": "x", "signature": "y"}, {"public_key": "", "signature": "", "more": ""}],
)
def test_fields_that_are_not_those_of_a_login_are_refused(fields: dict[str, str], challenge: Challenge) -> None:
    assert refused(Credentials(provider="ssh", fields=fields), challenge)


def test_an_rsa_signature_with_sha1_is_refused(tmp_path: pathlib.Path, challenge: Challenge) -> None:
    path = keygen(tmp_path / "key", "-t", "rsa", "-b", "3072")
    public = parse_public_key(path.with_name("key.pub").read_text())
    for algorithm, good in ((b"rsa-sha2-512", True), (b"ssh-rsa", False)):
        key = asyncssh.read_private_key(path)
        digest = hashlib.sha512(login.payload(challenge, public.fingerprint)).digest()
        head = string(login.namespace(AUDIENCE)) + string(b"") + string("sha512")
        raw = key.sign(b"SSHSIG" + head + string(digest), algorithm)
        fields = {"public_key": public.line, "signature": armour(public.line, head, raw)}
        shown = Credentials(provider="ssh", fields=fields)
        assert bool(identity().verify_credentials(shown, challenge)) if good else refused(shown, challenge)


def armour(line: str, head: bytes, raw: bytes) -> str:
    blob = b"SSHSIG" + struct.pack(">I", 1) + string(base64.b64decode(line.split()[1])) + head + string(raw)
    body = base64.b64encode(blob).decode()
    return f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n"


@pytest.mark.parametrize(("flags", "good"), [(1, True), (0, False)], ids=["touched", "not touched"])
def test_a_hardware_key_proves_itself_by_a_touch(challenge: Challenge, flags: int, good: bool) -> None:
    secret = Ed25519PrivateKey.generate()
    kind, application = "sk-ssh-ed25519@openssh.com", b"ssh:"
    blob = string(kind) + string(secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)) + string(application)
    public = parse_public_key(f"{kind} {base64.b64encode(blob).decode()}")
    digest = hashlib.sha512(login.payload(challenge, public.fingerprint)).digest()
    head = string(login.namespace(AUDIENCE)) + string(b"") + string("sha512")
    state = struct.pack(">BI", flags, 7)
    message = hashlib.sha256(b"SSHSIG" + head + string(digest)).digest()
    signed = secret.sign(hashlib.sha256(application).digest() + state + message)
    text = armour(public.line, head, string(kind) + string(signed) + state)
    shown = Credentials(provider="ssh", fields={"public_key": public.line, "signature": text})
    if good:
        assert identity().verify_credentials(shown, challenge).subject == public.fingerprint
    else:
        assert refused(shown, challenge)
