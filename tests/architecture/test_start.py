"""What a client loads: little, and nothing of a server or a cloud."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

MOST = 150
NEVER = {
    "asyncssh", "boto3", "botocore", "cryptography", "google", "kubernetes", "litestar", "pgmq", "psycopg",
    "psycopg_pool", "pynvml", "rich", "structlog", "typed_settings", "uvicorn",
}  # fmt: skip
HELP = "import sys; sys.argv = ['gpudev', '--help']\nfrom gpudev_cli.main import main\ntry: main()\nexcept SystemExit: pass"
NAMES = "\nimport sys; print('MODULES', *sys.modules)"


def modules(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", program + NAMES], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES ")[2].split())


@pytest.fixture(scope="module")
def bare():
    return modules("pass")


@pytest.fixture(params=["import gpudev_sdk", HELP], ids=["import gpudev_sdk", "gpudev --help"])
def loaded(request, bare):
    """Return what is loaded beyond bare Python."""
    if request.param == HELP and importlib.util.find_spec("gpudev_cli.main") is None:
        pytest.skip("the command line is not there")
    return modules(request.param) - bare


def test_starting_loads_few_modules(loaded):
    assert len(loaded) <= MOST


def test_starting_loads_nothing_of_a_server_or_a_cloud(loaded):
    assert {name.partition(".")[0] for name in loaded} & NEVER == set()


def test_starting_loads_none_of_our_server_code(loaded):
    ours = {name for name in loaded if name.startswith(("gpudev_sdk.", "gpudev_services"))}

    assert {name for name in ours if name.split(".")[1:2] in (["store"], ["engine"], ["local"], ["config"])} == set()
    assert not any(name.startswith("gpudev_services") for name in ours)
