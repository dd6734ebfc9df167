"""What all suites have: who we are, and the one way to wait."""

from __future__ import annotations

import pathlib
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from gpudev_sdk.errors import TryLater
from gpudev_sdk.laws import Law
from gpudev_sdk.providers import Context

T = TypeVar("T")
P = TypeVar("P")
Settle = Callable[[Callable[[], bool]], None]


class Contract(Generic[P]):
    """Fixtures of every suite; an author names the class that is tested, and overrides what does not fit."""

    #: The class under test. Where more than settings and a context is needed, the suite's fixture makes it instead.
    provider: type[P] | None = None
    #: What it is built with; None is its `Settings` where an operator says nothing.
    settings: ClassVar[Any] = None
    #: Law 1.1: what one call may take, in seconds. A cloud far away needs more than a machine.
    budget = 5.0
    #: How long `settle` waits for the world to be as it should.
    patience = 60.0

    @pytest.fixture
    def install_id(self) -> uuid.UUID:
        """Return the install that owns what the tests make."""
        return uuid.uuid4()

    @pytest.fixture
    def context(self, install_id: uuid.UUID, tmp_path: pathlib.Path) -> Context:
        """Return what a provider is built with."""
        return Context(install_id=install_id, name="contract", data_folder=tmp_path)

    @pytest.fixture
    def other_context(self, tmp_path: pathlib.Path) -> Context:
        """Return another install's context, with the same folder, so that only the install id tells them apart."""
        return Context(install_id=uuid.uuid4(), name="contract", data_folder=tmp_path)

    @pytest.fixture
    def settle(self) -> Settle:
        """Return the only waiting there is: until something is so, or the test fails. TryLater means not yet."""

        def until(is_so: Callable[[], bool]) -> None:
            deadline = time.monotonic() + self.patience
            while not _is_so(is_so):
                if time.monotonic() > deadline:
                    pytest.fail(f"not within {self.patience} s")
                time.sleep(0.05)

        return until

    def build(self, context: Context) -> P:
        """Build the provider as a server does."""
        kind: Any = self.provider
        if kind is None:
            raise NotImplementedError("name the class as `provider`, or override the fixture that makes it")
        built: P = kind(kind.Settings() if self.settings is None else self.settings, context)
        return built

    def build_other(self, context: Context, fixture: str) -> P:
        """Build it as another install has it; skip where only a fixture could, and there is none."""
        if self.provider is None:
            pytest.skip(f"no `provider` and no fixture `{fixture}`: that others' things are left alone is not tested")
        return self.build(context)

    def timed(self, call: Callable[[], T]) -> T:
        """Make a call; fail if it took longer than the budget (law 1.1)."""
        began = time.monotonic()
        result = call()
        took = time.monotonic() - began
        assert took <= self.budget, f"the call took {took:.1f} s; it must return at once and be asked again"
        return result


def each_law(laws: Iterable[Law]) -> pytest.MarkDecorator:
    """Run a test once for each of some laws that only read, which `gpudev plugins check` tries too."""
    return pytest.mark.parametrize("law", tuple(laws), ids=lambda law: f"{law.number} {law.says}")


def _is_so(is_so: Callable[[], bool]) -> bool:
    try:
        return is_so()
    except TryLater:
        return False
