"""moto's server on this machine; what it lacks is answered in botocore's clients, as AWS would answer it."""

from __future__ import annotations

import pytest

from gpudev_aws.session import Session
from gpudev_aws.settings import AwsSettings
from tests.contract.aws import account

credentials, moto, hand, context = account.credentials, account.moto, account.hand, account.context


@pytest.fixture
def settings(moto):
    """Return what makes settings."""

    def make(**changes):
        return AwsSettings(**({"region": account.REGION, "endpoint": moto, "calls_per_second": 1000.0} | changes))

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
