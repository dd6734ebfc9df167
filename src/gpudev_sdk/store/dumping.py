"""Writes a dump of a database that the operator runs, with the `pg_dump` that is installed here."""

from __future__ import annotations

import os
import pathlib
import subprocess

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gpudev_sdk.errors import StoreError


def dump(dsn: str, path: pathlib.Path) -> None:
    """Write a custom-format dump to a new file that only we can read; the password goes by the environment, not by argv."""
    parts = conninfo_to_dict(dsn)
    password = parts.pop("password", None)
    environment = {"PATH": os.defpath} | ({} if password is None else {"PGPASSWORD": str(password)})
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            subprocess.run(
                ["pg_dump", "--format=custom", "--dbname=" + make_conninfo("", **parts)],
                env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, check=True, text=True,
            )  # fmt: skip
    except FileNotFoundError as error:
        path.unlink()
        raise StoreError("pg_dump is not installed here", hint="Install PostgreSQL's client programs.") from error
    except subprocess.CalledProcessError as error:
        path.unlink()
        said = error.stderr.strip().splitlines() or ["it gave no reason"]
        raise StoreError(
            f"pg_dump failed: {said[-1]}", hint="Its version must not be older than the server's."
        ) from error
