"""moto's server on this machine; what it lacks is answered in botocore's clients, as AWS would answer it."""

from __future__ import annotations

import uuid

import boto3
import pytest

from gpudev_aws.session import Session
from gpudev_aws.settings import AwsSettings
from gpudev_sdk.providers import Context

REGION = "us-east-1"


@pytest.fixture(autouse=True)
def credentials(monkeypatch, tmp_path):
    """Credentials that are no one's, and nothing of whoever runs the tests."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
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


@pytest.fixture
def settings(moto):
    """Return what makes settings."""

    def make(**changes):
        return AwsSettings(**({"region": REGION, "endpoint": moto, "calls_per_second": 1000.0} | changes))

    return make


@pytest.fixture
def build(settings):
    """Return what builds a class that takes in ours, on a session of its own."""
    built = []

    def make(kind, context, **changes):
        chosen = settings(**changes)
        made = kind(chosen, context, Session(chosen.region, chosen.endpoint, chosen.calls_per_second))
        built.append(made)
        return made

    yield make
    for each in built:
        each.session.close()


@pytest.fixture
def interfere():
    """Return what has a client answer, or do, something else for one operation: `how(request) -> (status, body) or None`."""
    from botocore.awsrequest import AWSResponse

    def put(client, event, how):
        def before(request, **_):
            answer = how(request)
            if answer is None:
                return None
            headers = {"content-type": "text/xml", "x-amz-request-id": "r", "x-amzn-requestid": "r"} | (
                answer[2] if answer[2:] else {}
            )
            return AWSResponse(request.url, answer[0], headers, _Raw(answer[1]))

        client.meta.events.register_first(f"before-send.{event}", before)

    return put


class _Raw:
    """A body that has come."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_):
        yield self._content
