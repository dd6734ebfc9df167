"""Our own key pair, for the server on this machine: made once, without a passphrase, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import tempfile

from gpudev_sdk.client.files import make_private_folder, saying
from gpudev_sdk.client.places import Places
from gpudev_sdk.errors import ConfigError

_SECONDS = 60


def own_key_path(places: Places) -> pathlib.Path:
    """Return where our private key lies."""
    return places.ssh / "id_ed25519"


def ensure_own_key(places: Places) -> str:
    """Return our public key's line, made if there is none; of several that make it at once, one wins."""
    path = own_key_path(places)
    if not path.exists():
        _make(path, places)
    public = path.with_name("id_ed25519.pub")
    with saying(places.ssh):
        if public.exists():
            return public.read_text(encoding="utf-8", errors="replace").strip()
    return _keygen("-y", "-P", "", "-f", str(path)).strip()


def _make(path: pathlib.Path, places: Places) -> None:
    with saying(places.ssh):
        make_private_folder(places.config)
        make_private_folder(places.ssh)
        with tempfile.TemporaryDirectory(dir=places.ssh, prefix=".new-") as folder:
            made = pathlib.Path(folder) / "key"
            _keygen("-q", "-t", "ed25519", "-N", "", "-C", "gpudev", "-f", str(made))
            # The private half decides who won; only the winner puts the public half beside it.
            with contextlib.suppress(FileExistsError):
                os.link(made, path)
                made.with_suffix(".pub").replace(path.with_name("id_ed25519.pub"))


def _keygen(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["ssh-keygen", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            "ssh-keygen is not installed", hint="Install the OpenSSH client (Debian: apt install openssh-client)."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError("ssh-keygen does not come to an end", hint="Try by hand: ssh-keygen -t ed25519") from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:120]
        raise ConfigError(f"ssh-keygen failed: {said}", hint="Move our key away and try again: gpudev config path ssh")
    return done.stdout
