"""The public laws over the smallest plugin, installed as a distribution of its own."""

from __future__ import annotations

import pytest
from gpudev_example.providers import ExampleCompute, ExampleIdentity, ExampleSettings

from gpudev_sdk.testing import ComputeContract, IdentityContract, PluginContract

WORD = "open sesame"


class TestCompute(ComputeContract):
    @pytest.fixture
    def compute(self, context):
        return ExampleCompute(ExampleSettings(), context)

    @pytest.fixture
    def other_compute(self, other_context):
        return ExampleCompute(ExampleSettings(), other_context)


class TestIdentity(IdentityContract):
    @pytest.fixture
    def secret(self):
        return WORD

    @pytest.fixture
    def identity(self, context):
        return ExampleIdentity(ExampleSettings(word=WORD), context)

    @pytest.fixture
    def wrong(self, context):
        return ExampleIdentity(ExampleSettings(word="open barley"), context)

    def test_another_word_is_refused(self, identity, wrong, challenge):
        with pytest.raises(Exception, match="not signed in"):
            identity.verify_credentials(wrong.get_caller_identity(challenge), challenge)


class TestPlugin(PluginContract):
    entry_point = "example"
