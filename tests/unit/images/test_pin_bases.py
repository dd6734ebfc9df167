"""What tools/pin-bases writes, over a registry that asks for a token as public ones do."""

from __future__ import annotations

import hashlib
import http.server
import importlib.machinery
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import threading
import urllib.parse

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[3]
INDEX = "application/vnd.oci.image.index.v1+json"
SAID = "ARG BASE={host}/library/python:3.13-slim\n\nFROM ${{BASE}}\nARG OTHER={host}/library/python:3.13-slim\n"
VALUES = """# The one place where images are named.
images:
  services: {{repository: gpudev/services, tag: "", digest: "", pullPolicy: IfNotPresent}}
  postgres: {{repository: {host}/library/postgres, tag: "18.1", digest: "", pullPolicy: IfNotPresent}}
  plugin: {{repository: {host}/nvidia/plugin, tag: v0.17.4}}
"""


class Registry(http.server.ThreadingHTTPServer):
    """A registry of indexes that lets in whoever has a token, and the server that gives one to anybody."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Asked)
        self.host = f"127.0.0.1:{self.server_port}"
        self.manifests = {"library/python:3.13-slim": 1, "library/postgres:18.1": 1, "nvidia/plugin:v0.17.4": 1}
        self.refuses_tokens, self.says = False, None

    def content(self, name):
        manifest = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"n": self.manifests[name]}}
        return json.dumps(manifest).encode() if self.says is None else self.says

    def digest(self, name):
        return f"sha256:{hashlib.sha256(self.content(name)).hexdigest()}"


class Asked(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        if address.path == "/token":
            (scope,) = urllib.parse.parse_qs(address.query)["scope"]
            self.answer(403 if self.server.refuses_tokens else 200, json.dumps({"token": scope}).encode())
            return
        path, tag = re.fullmatch(r"/v2/(.+)/manifests/(.+)", address.path).groups()
        scope, name = f"repository:{path}:pull", f"{path}:{tag}"
        if self.headers.get("Authorization") != f"Bearer {scope}":
            realm = f'Bearer realm="http://{self.server.host}/token",service="registry",scope="{scope}"'
            self.answer(401, b"{}", realm)
        elif name not in self.server.manifests or INDEX not in self.headers["Accept"]:
            self.answer(404, b"{}")
        else:
            self.answer(200, self.server.content(name))

    def answer(self, status, content, challenge=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def registry():
    with Registry() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def files(registry, tmp_path):
    dockerfile, values = tmp_path / "Dockerfile", tmp_path / "values.yaml"
    dockerfile.write_text(SAID.format(host=registry.host))
    values.write_text(VALUES.format(host=registry.host))
    return dockerfile, values


def pin(*words) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "tools" / "pin-bases", *words], capture_output=True, text=True, check=False)


def test_every_image_of_others_is_pinned_where_it_stands_and_nothing_else_is_touched(registry, files):
    dockerfile, values = files
    told = pin(*files)

    assert told.returncode == 0, told.stderr
    python = f"ARG BASE={registry.host}/library/python:3.13-slim"
    assert dockerfile.read_text() == SAID.format(host=registry.host).replace(
        python, f"{python}@{registry.digest('library/python:3.13-slim')}", 1
    )
    expected = VALUES.format(host=registry.host)
    for tag, name in (('"18.1"', "library/postgres:18.1"), ("v0.17.4", "nvidia/plugin:v0.17.4")):
        expected = expected.replace(tag, f'"{name.partition(":")[2]}@{registry.digest(name)}"')
    assert values.read_text() == expected
    assert yaml.safe_load(expected)["images"]["services"]["tag"] == ""


def test_what_was_pinned_is_pinned_again_to_what_the_tag_is_now(registry, files):
    pin(*files)
    before = files[0].read_text()
    again = pin(*files)
    same = files[0].read_text()
    registry.manifests["library/python:3.13-slim"] = 2

    pin(*files)

    assert again.returncode == 0
    assert same == before
    assert files[0].read_text() == before.replace(
        re.search(r"sha256:\w+", before).group(), registry.digest("library/python:3.13-slim")
    )


def test_a_check_says_what_is_not_pinned_or_has_moved_and_writes_nothing(registry, files):
    dockerfile, values = files
    first = pin("--check", *files)
    pin(values)
    registry.manifests["library/postgres:18.1"] = 2
    before = values.read_text()

    second = pin("--check", *files)
    pin(*files)
    third = pin("--check", *files)

    assert (first.returncode, len(first.stdout.splitlines())) == (1, 3)
    assert second.returncode == 1
    assert second.stdout.splitlines() == [
        f"{dockerfile}: {registry.host}/library/python:3.13-slim is not pinned",
        f"{values}: {registry.host}/library/postgres:18.1 has moved to {registry.digest('library/postgres:18.1')}",
    ]
    assert before.count("@sha256:") == 2
    assert third.returncode == 0, third.stdout


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda registry: registry.manifests.pop("nvidia/plugin:v0.17.4"), "has no nvidia/plugin:v0.17.4"),
        (lambda registry: setattr(registry, "refuses_tokens", True), "no token for anybody"),
        (lambda registry: setattr(registry, "says", b"<html>sign in</html>"), "does not answer for"),
        (lambda registry: setattr(registry, "says", b"{}"), "no manifest"),
        (lambda registry: (registry.shutdown(), registry.server_close()), "Connection refused"),
    ],
    ids=["an unknown tag", "a token refused", "a page", "no manifest", "a registry that is away"],
)
def test_a_digest_that_cannot_be_had_is_told_and_nothing_is_written(registry, files, spoil, said):
    before = [path.read_text() for path in files]
    spoil(registry)

    done, asked = pin(*files), pin("--check", files[0])

    assert (done.returncode, asked.returncode) == (1, 1)
    assert said in done.stderr
    assert registry.host in done.stderr
    assert done.stderr.splitlines()[1:] == ["  Nothing was written."]
    assert [path.read_text() for path in files] == before


def test_no_image_of_others_that_the_dockerfiles_and_the_chart_name_escapes_it(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    program = importlib.machinery.SourceFileLoader("pin_bases", str(ROOT / "tools" / "pin-bases"))
    pinning = importlib.util.module_from_spec(importlib.util.spec_from_loader("pin_bases", program))
    program.exec_module(pinning)
    texts = {path: path.read_text() for path in pinning.FILES}

    found = {(path, pinning.name_of(each)) for path, text in texts.items() for each in pinning.named(text)}

    bases = {(path, line) for path, text in texts.items() for line in re.findall("^ARG BASE=.*$", text, re.MULTILINE)}
    images = yaml.safe_load((ROOT / "charts" / "gpu-dev-server" / "values.yaml").read_text())["images"].values()
    of_others = [each for each in images if not each["repository"].startswith("gpudev/")]
    assert len(found) == len(bases) + len(of_others) == 7
    assert set((ROOT / "images").glob("*/Dockerfile")) <= {path for path, _ in bases}
