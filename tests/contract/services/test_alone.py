"""One service by itself: what it refuses, what it waits for, and what it never touches."""

from __future__ import annotations

import contextlib
import time
import urllib.request

import httpx2
import psycopg
import pytest

from gpudev_sdk.store.migrate import SCHEMA
from tests.contract.services.apart import SEEN, free_port, other_key, some_uuid
from tests.fix_install import until

PROVIDERS = (
    "boto3",
    "botocore",
    "google",
    "kubernetes",
    "gpudev_aws",
    "gpudev_gcp",
    "gpudev_kind",
    "gpudev_sdk.kube",
    "gpudev_sdk.local",
)
WORDS = {"api": ("--listen", "127.0.0.1:0"), "gateway": ("--listen", "127.0.0.1:0"), "processor": ()}


@contextlib.contextmanager
def running(service):
    """Start a service and end it."""
    service.start()
    try:
        yield service
    finally:
        service.kill()


def owner(apart, statement, *values):
    with psycopg.connect(apart.dsn, autocommit=True) as conn:
        cursor = conn.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def needed():
    """Name every secret that a service cannot do without."""
    optional = ("tls.crt", "tls.key", "ca.crt", "host-ca.pub", "gateway-key.pub")
    return [(word, name) for word in WORDS for name in SEEN[word] if name not in optional]


def refused(apart, word, **changed):
    """Start a service with wrong secrets; return what it says, which is two lines at most after a moment."""
    folder = apart.folder_of(word, **changed)
    done = apart.run(word, *WORDS[word], secrets=folder, timeout=30)
    assert done.returncode == 1, done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    return folder, *lines


@pytest.mark.parametrize(("word", "name"), needed())
def test_a_missing_secret_is_named_with_the_next_step(apart, word, name):
    folder, first, second = refused(apart, word, **{name: None})

    assert first == f"gpudev: the secret {folder}/{name} is missing"
    assert "Put " in second
    assert "first-secrets" in second


@pytest.mark.parametrize(
    ("word", "name", "content", "why"),
    [
        ("processor", "host-ca", b"rubbish", "is no usable key"),
        ("processor", "control-plane-id", b"nobody", "is no UUID"),
        ("processor", "engine-dsn", b"", "is empty or no text"),
        ("gateway", "gateway-key", b"rubbish", "is no usable key"),
        ("api", "nonce-secret", b"8 bytes!", "is shorter than 32 bytes"),
        ("api", "tls.key", other_key(), "cannot be used"),
        ("api", "tls.key", None, "cannot be used"),
    ],
)
def test_a_wrong_secret_is_named_with_the_next_step_and_never_shown(apart, word, name, content, why):
    folder, first, second = refused(apart, word, **{name: content})

    assert f"{folder}/{name}" in first
    assert why in first
    assert second.strip().endswith(".")
    assert not content or content.decode() not in first


def test_a_configuration_that_is_not_there_is_said(apart):
    done = apart.run("api", config=apart.root / "none.toml")

    assert done.returncode == 1
    assert done.stderr.startswith(f"gpudev: there is no configuration {apart.root}/none.toml\n")


def test_an_api_that_has_only_public_keys_gives_out_the_ones_of_the_others(apart):
    service = apart.service("public", "api")
    with running(service):
        apart.until_ready(service)
        _, text = apart.get(service, "/v1/server")

    assert apart.secrets["host-ca.pub"].decode() in text
    assert apart.secrets["gateway-key.pub"].decode() in text


def test_the_api_loads_no_provider_and_asks_none(apart):
    """Its backends are of providers that are not installed, and of some that are."""
    config = apart.root / "clouds.toml"
    text = apart.config.read_text()
    for name in ("nowhere", "aws", "gcp", "kube"):
        text += f'[backends.{name}]\ncompute = "{name}"\nstorage = "{name}"\n'
    config.write_text(text)
    owner(apart, "INSERT INTO inventory (backend, seen_at, trouble) VALUES ('aws', gpudev_now(), 'no answer')")
    service = apart.service("clouds", "api", config=config, python=("-X", "importtime"))
    with running(service):
        apart.until_ready(service)
        status, server = apart.get(service, "/v1/server")

    assert status == 200
    assert '"aws":{"compute":"aws","trouble":"no answer"}' in server
    assert '"nowhere":{"compute":"nowhere"}' in server
    loaded = {line.rpartition("|")[2].strip() for line in service.said.splitlines() if line.startswith("import time:")}
    assert "gpudev_services.cluster.api" in loaded
    assert {name for name in loaded if name.startswith(PROVIDERS)} == set()


def test_the_api_shows_counts_and_no_names(apart):
    service = apart.service("counts", "api")
    with running(service):
        apart.until_ready(service)
        status, text = apart.get(service, "/metrics")

    assert status == 200
    assert 'gpudev_reservations{state="active"}' in text
    assert "invariant" not in text


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz", "/"])
def test_people_are_answered_v1_and_nothing_beside_it(apart, path):
    service = apart.service(f"door{path.replace('/', '-')}", "api")
    url = f"https://127.0.0.1:{service.ports['api']}{path}"
    with running(service):
        until(lambda: apart.get(service, "/healthz")[0] == 200)
        apart.until_ready(service)
        assert httpx2.get(url, verify=apart.trust, timeout=10).status_code == 404
        assert apart.get(service, "/v1/metrics")[0] == 401


def test_a_processor_shows_the_laws(apart):
    service = apart.service("laws", "processor")
    with running(service):
        apart.until_ready(service)
        status, text = apart.get(service, "/metrics")

    assert status == 200
    assert "gpudev_invariant_violations" in text


def test_without_a_certificate_the_api_speaks_plain_http(apart):
    folder = apart.folder_of("api", **{"tls.crt": None, "tls.key": None, "ca.crt": None})
    service = apart.service("plain", "api", secrets=folder)
    with running(service):
        apart.until_ready(service)
        with urllib.request.urlopen(f"http://127.0.0.1:{service.ports['api']}/v1/healthz", timeout=10) as answer:
            assert answer.status == 200


def test_a_gateway_that_is_given_the_engines_way_in_takes_it(apart):
    folder = apart.folder_of("gateway", **{"api-dsn": None, "engine-dsn": apart.secrets["engine-dsn"]})
    service = apart.service("engines", "gateway", secrets=folder)
    with running(service):
        apart.until_ready(service)


def test_a_port_that_is_taken_is_said(apart):
    service = apart.service("holder", "gateway")
    with running(service):
        apart.until_ready(service)
        taken = f"127.0.0.1:{service.ports['health']}"
        done = apart.run("gateway", "--listen", "127.0.0.1:0", "--health", taken)

    assert done.returncode == 1
    assert f"cannot listen on {taken}" in done.stderr


@pytest.fixture
def other_schema(apart):
    """Set another schema; it is put right again."""
    yield lambda: owner(apart, "INSERT INTO schema_migration (number, name, sha256) VALUES (%s, 'x', 'x')", SCHEMA + 1)
    owner(apart, "DELETE FROM schema_migration WHERE number > %s", SCHEMA)


@pytest.mark.parametrize("word", ["api", "gateway", "processor"])
def test_a_newer_schema_is_refused_with_the_next_step(apart, other_schema, word):
    other_schema()
    service = apart.service(f"newer-{word}", word).start()

    assert service.process.wait(30) == 1
    assert f"gpudev: the database has schema {SCHEMA + 1}, and this gpudev knows {SCHEMA} at most" in service.said
    assert "Run the version of gpudev that migrated it." in service.said


@pytest.mark.parametrize("word", ["availability", "expiry", "admin-user"])
def test_what_is_done_once_refuses_it_too(apart, other_schema, word):
    other_schema()

    done = apart.run(word, *(["kim"] if word == "admin-user" else []))

    assert done.returncode == 1
    assert f"knows {SCHEMA} at most" in done.stderr


def test_a_service_that_runs_is_not_ready_while_the_schema_is_newer(apart, other_schema):
    service = apart.service("overtaken", "api")
    with running(service):
        apart.until_ready(service)
        other_schema()
        status, text = apart.get(service)

    assert status == 503
    assert f"knows {SCHEMA} at most" in text


@pytest.mark.parametrize("word", ["api", "gateway", "processor"])
def test_an_older_schema_is_waited_for_and_nothing_is_done_before(apart, word):
    row = owner(apart, "DELETE FROM schema_migration WHERE number = %s RETURNING number, name, sha256", SCHEMA)[0]
    service = apart.service(f"older-{word}", word)
    with running(service):
        until(lambda: apart.get(service)[0] == 503)
        assert apart.get(service, "/healthz")[0] == 200
        if word == "api":
            assert apart.get(service, "/v1/server")[0] == 503
        until(lambda: "gpudev-services migrate" in service.said)
        owner(apart, "INSERT INTO schema_migration (number, name, sha256) VALUES (%s, %s, %s)", *row)
        apart.until_ready(service)


def test_a_database_whose_rights_are_not_given_yet_is_waited_for(apart):
    owner(apart, "REVOKE SELECT ON schema_migration FROM gpudev_api")
    service = apart.service("early", "api")
    with running(service):
        until(lambda: "waiting for the database" in service.said)
        assert apart.get(service)[0] == 503
        owner(apart, "GRANT SELECT ON schema_migration TO gpudev_api")
        apart.until_ready(service)


@pytest.mark.parametrize("word", ["api", "gateway", "processor"])
def test_a_service_that_waits_for_its_database_ends_when_it_is_told_to(apart, word):
    nowhere = f"host=127.0.0.1 port={free_port()} user=gpudev_api dbname=gpudev password=x".encode()
    name = "engine-dsn" if word == "processor" else "api-dsn"
    service = apart.service(f"waits-{word}", word, secrets=apart.folder_of(word, **{name: nowhere})).start()
    try:
        until(lambda: "waiting for the database" in service.said)
        begun = time.monotonic()

        assert service.end() == 0
        assert time.monotonic() - begun < 8
    finally:
        service.process.kill()
        service.process.wait()


def test_another_control_plane_is_kept_from_the_backends(apart):
    """It has the database, and not the identity beside it."""
    first = apart.service("rightful", "processor")
    with running(first):
        apart.until_ready(first)
    second = apart.service(
        "copied", "processor", secrets=apart.folder_of("processor", **{"control-plane-id": some_uuid()})
    )
    with running(second):
        until(lambda: '"paused"' in second.said)
    owner(apart, "UPDATE backend_claim SET paused = NULL")
