"""What Debian gives: packages that are installed when lacking, and commands whose words are shown when they fail."""

from __future__ import annotations

import os
import subprocess
import time

_TRIES = 3
_SHOWN_LINES = 30


class CannotBuild(Exception):
    """A part of the test machine could not be made; the message says what to do next."""


def run(*words: object, log, env=None) -> None:
    """Run a command and write what it says to the file `log`; CannotBuild with the end of it when it fails."""
    command = [str(word) for word in words]
    with open(log, "a", encoding="utf-8") as out:
        out.write(f"+ {' '.join(command)}\n")
        out.flush()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, check=False
        )
    if done.returncode != 0:
        raise CannotBuild(f"{command[0]} ended with {done.returncode}; all it said is in {log}, last:\n{_end_of(log)}")


def _end_of(log) -> str:
    with open(log, encoding="utf-8", errors="replace") as said:
        return "".join(said.readlines()[-_SHOWN_LINES:])


def packages(*names: str) -> None:
    """Install those packages of Debian that are lacking; does nothing, and needs no root, when none is."""
    lacking = [name for name in names if not _is_installed(name)]
    if not lacking:
        return
    if os.geteuid() != 0:
        raise CannotBuild(f"not installed: {' '.join(lacking)}; as root: apt-get install {' '.join(lacking)}")
    for left in reversed(range(_TRIES)):
        said = _install(lacking)
        if said is None:
            return
        if left:
            time.sleep(2)
            _apt("update")
    raise CannotBuild(f"apt-get install {' '.join(lacking)} failed {_TRIES} times; try it by hand. It said:\n{said}")


def _is_installed(name: str) -> bool:
    asked = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", name]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout == "installed"


def _install(names: list[str]) -> str | None:
    """Return what apt-get said where it failed."""
    done = _apt("install", "--yes", "--no-install-recommends", *names)
    return None if done.returncode == 0 else "\n".join(done.stdout.splitlines()[-_SHOWN_LINES:])


def _apt(*words: str) -> subprocess.CompletedProcess[str]:
    # Somebody else may be installing: apt waits for its lock.
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600", *words]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        check=False,
    )
