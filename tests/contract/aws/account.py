"""moto's server on this machine, and credentials that are no one's: what all tests of AWS have."""

from __future__ import annotations

import uuid

import boto3
import pytest

from gpudev_sdk.providers import Context

REGION = "us-east-1"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture(autouse=True)
def credentials(monkeypatch, tmp_path):
    """Credentials that are no one's, and nothing of whoever runs the tests."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in _KEYS:
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture(scope="session")
def moto():
    """The address of moto's server."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    patch.undo()


@pytest.fixture(scope="session")
def hand(moto):
    """Return what makes a client of moto's, for the test's own hand."""
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)
    made = {}

    def client(service):
        if service not in made:
            made[service] = session.client(service, endpoint_url=moto)
        return made[service]

    yield client
    for each in made.values():
        each.close()


@pytest.fixture
def context(tmp_path):
    return Context(install_id=uuid.uuid4(), name="aws", data_folder=tmp_path)
