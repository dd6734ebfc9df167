"""What is built again is built of the same: of a base by its digest, and of Debian's packages as they were at a moment."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import threading
import urllib.request

import pytest

from tests.cluster.machine import programs
from tests.cluster.machine.buildah import POLICY
from tests.cluster.machine.layout import cache
from tests.contract.services.apart import free_port
from tests.fix_install import until

ROOT = pathlib.Path(__file__).parents[2]
MOMENT = "20261120T000000Z"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
#: How registries name this kind of machine.
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
TRIED = "localhost/gpudev/tried:1"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """The address of a real registry that has nothing yet; Kubernetes is not built for its sake."""
    built = cache() / f"bin-{programs.fingerprint()}"
    if not programs.complete(built):
        pytest.skip("the programs of the cluster are not built")
    folder, address = tmp_path_factory.mktemp("registry"), f"127.0.0.1:{free_port()}"
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address, "secret": "none"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    command = [built / "registry", "serve", folder / "config.json"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        until(lambda: answers(address))
        yield address
        process.terminate()


def answers(address) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
        return True
    return False


def ask(address, method="GET", content=None, kind=INDEX):
    """Ask the registry for a manifest, or give it one; return its digest and what it is."""
    headers = {"Content-Type": kind} if content else {"Accept": kind}
    asked = urllib.request.Request(address, method=method, data=content, headers=headers)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.headers["Docker-Content-Digest"], answer.read()


def build(buildah, dockerfile, *words) -> subprocess.CompletedProcess[str]:
    """Build without what is lent to others; return how it went."""
    command = buildah._command(
        "bud", "--layers=false", "--force-rm", "--tls-verify=false", "--format", "oci", "--signature-policy", POLICY,
        "--tag", TRIED, *words, "--file", dockerfile, dockerfile.parent,
    )  # fmt: skip
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


@pytest.fixture
def base(storage, registry, tmp_path):
    """The name of an image that is an index in the registry, and how to put another index under that name."""
    buildah, _ = storage
    name, address = f"{registry}/library/base:1", f"http://{registry}/v2/library/base/manifests/1"
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /base\n")
    buildah.build(name, tmp_path / "Dockerfile", tmp_path, "", [])
    buildah.push(name)
    buildah._ask("rmi", name)
    digest, manifest = ask(address, kind=MANIFEST)
    platform = {"os": "linux", "architecture": MACHINES[os.uname().machine]}
    one = {"mediaType": MANIFEST, "digest": digest, "size": len(manifest), "platform": platform}

    def put(*manifests):
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        return ask(address, "PUT", json.dumps(index).encode())[0]

    index = put(one)
    yield name, index, put
    buildah._ask("rmi", TRIED, f"{name}@{index}")


def test_a_dockerfile_that_was_pinned_starts_from_what_its_tag_was_that_day(storage, base, tmp_path):
    buildah, _ = storage
    name, index, put = base
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        f"ARG BASE={name}\n\nFROM ${{BASE}} AS build\n\nFROM ${{BASE}}\nCOPY --from=build /base /again\n"
    )

    done = subprocess.run([ROOT / "tools" / "pin-bases", dockerfile], capture_output=True, text=True, check=False)
    put()
    built = build(buildah, dockerfile)

    assert done.returncode == 0, done.stderr
    assert dockerfile.read_text().startswith(f"ARG BASE={name}@{index}\n")
    assert built.returncode == 0, built.stderr
    with buildah.unpacked(TRIED) as root:
        assert sorted(path.name for path in root.iterdir()) == ["again", "base"]


@pytest.fixture
def archive():
    """The address of an archive of Debian that has nothing, and what was asked of it."""
    asked = []

    class Nothing(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("name", ["devserver", "tools"])
def test_packages_of_a_moment_come_from_the_archive_of_that_moment_or_not_at_all(storage, archive, name):
    buildah, references = storage
    address, asked = archive
    words = {"BASE": references["python"], "DEBIAN_SNAPSHOT": MOMENT, "DEBIAN_ARCHIVE": address}
    given = [f"--build-arg={key}={value}" for key, value in words.items()]

    done = build(buildah, ROOT / "images" / name / "Dockerfile", "--pull-never", *given)

    assert done.returncode != 0
    assert "does not have a Release file" in done.stderr
    of_suites = {path.removesuffix("/InRelease") for path in asked if path.endswith("/InRelease")}
    assert of_suites == {
        f"/debian/{MOMENT}/dists/bookworm",
        f"/debian/{MOMENT}/dists/bookworm-updates",
        f"/debian-security/{MOMENT}/dists/bookworm-security",
    }
    assert all(MOMENT in path for path in asked)
