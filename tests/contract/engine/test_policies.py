"""A named policy is asked before a request is queued; one that fails refuses, since nobody knows what it would have said."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.errors import Refused
from gpudev_sdk.hookspecs import hookimpl
from gpudev_services.up.build import PluginPolicy
from tests.contract.engine.test_listeners import as_plugin


@attrs.define
class Nanny:
    """Refuses big requests, and breaks at cpu ones."""

    asked: list = attrs.field(factory=list)

    @hookimpl
    def gpudev_check_request(self, request, user):
        self.asked.append((request.gpu_type, user.name))
        if request.gpu_type == "cpu":
            raise ZeroDivisionError
        if request.gpus > 4:
            raise Refused("at most 4 GPUs before noon", hint="Ask for 4.")


@pytest.fixture
def nanny():
    return Nanny()


@pytest.fixture
def watched(bench, nanny):
    bench.engine = attrs.evolve(bench.engine, policies=(PluginPolicy(plugin=as_plugin(nanny, "nanny")),))
    return bench


def test_what_it_lets_through_is_queued(watched, nanny, kim):
    watched.submit(kim, gpus=4)
    assert nanny.asked == [("h100", "kim")]


def test_what_it_refuses_leaves_nothing_and_says_why(watched, kim):
    with pytest.raises(Refused, match="before noon"):
        watched.submit(kim, gpus=8)
    assert watched.sql("SELECT * FROM reservation") == []


def test_one_that_breaks_refuses_and_says_no_more_than_its_name(watched, kim):
    with pytest.raises(Refused, match="the policy 'nanny' of this install failed"):
        watched.submit(kim, gpu_type="cpu", gpus=0)
    assert watched.sql("SELECT * FROM reservation") == []
