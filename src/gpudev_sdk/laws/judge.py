"""Tries every law on a place and says what came of each. A call that hangs keeps nobody waiting for ever."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from gpudev_sdk.errors import CallerError, GpudevError
from gpudev_sdk.laws.abilities import ABILITIES
from gpudev_sdk.laws.compute import COMPUTE
from gpudev_sdk.laws.law import Broken, Law, NotTried, Place, Result, Verdict
from gpudev_sdk.laws.storage import STORAGE

#: Every law that only reads.
LAWS: tuple[Law, ...] = (*COMPUTE, *STORAGE, *ABILITIES)
#: After so many seconds a call is taken to hang.
LONGEST = 60.0


def judge(place: Place, longest: float = LONGEST) -> list[Verdict]:
    """Try all laws that concern the place, and then those of every call that was made for them (1.1, 1.6)."""
    with_provider = [(law, provider) for law in LAWS if (provider := _provider(place, law)) is not None]
    verdicts: list[Verdict] = []
    strangers: list[str] = []
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="law")
    hung = ""
    for law, provider in with_provider:
        if hung:
            verdicts.append(_verdict(law, NotTried(f"{hung} before it never came back"), 0.0))
            continue
        began = time.monotonic()
        tried = worker.submit(law.keeps, place, provider)
        if not wait([tried], timeout=longest).done:
            hung = f"law {law.number}"
        error = _outcome(tried, hung, longest)
        if error is not None and not isinstance(error, GpudevError | Broken | NotTried):
            strangers.append(f"{type(error).__name__}: {error}")
        verdicts.append(_verdict(law, error, time.monotonic() - began))
    worker.shutdown(wait=False)
    return [_in_time(place, hung), _translated(place, strangers), *verdicts]


def hangs(verdicts: list[Verdict]) -> bool:
    """Say whether a call never came back: its thread is still there, and the process does not end by itself."""
    return any("never came back" in verdict.why for verdict in verdicts)


def _provider(place: Place, law: Law) -> Any:
    return next((each for each in (place.compute, place.storage) if isinstance(each, law.of)), None)


def _outcome(tried: Future[None], hung: str, longest: float) -> BaseException | None:
    return Broken(f"the call never came back in {longest:.0f} s") if hung else tried.exception()


def _verdict(law: Law, error: BaseException | None, took: float) -> Verdict:
    result, why = _said(error)
    return Verdict(number=law.number, says=law.says, result=result, why=why, took_seconds=took)


def _said(error: BaseException | None) -> tuple[Result, str]:
    """Read what a law raised. That a place cannot answer now breaks no law; that it calls the question wrong does."""
    if error is None:
        return Result.KEPT, ""
    if isinstance(error, NotTried):
        return Result.NOT_TRIED, str(error)
    if isinstance(error, CallerError):
        return Result.BROKEN, f"it raised {type(error).__name__}: {error}"
    if isinstance(error, GpudevError):
        return Result.NOT_TRIED, error.message
    if isinstance(error, Broken):
        return Result.BROKEN, str(error)
    return Result.BROKEN, f"{type(error).__name__} was not translated: {error}"


def _in_time(place: Place, hung: str) -> Verdict:
    says, slowest = "each call returns within the budget", max(place.calls, key=lambda call: call[1], default=None)
    if hung:
        return Verdict(number="1.1", says=says, result=Result.BROKEN, why=f"a call of {hung} never came back")
    if slowest is None:
        return Verdict(number="1.1", says=says, result=Result.NOT_TRIED, why="no call was made")
    name, took = slowest
    late = took > place.budget
    why = f"{name} took {took:.1f} s; it must return within {place.budget:g} s and be asked again" if late else ""
    result = Result.BROKEN if late else Result.KEPT
    return Verdict(number="1.1", says=says, result=result, why=why, took_seconds=took)


def _translated(place: Place, strangers: list[str]) -> Verdict:
    says = "every exception is one of gpudev's"
    if strangers:
        return Verdict(number="1.6", says=says, result=Result.BROKEN, why=strangers[0])
    if not place.calls:
        return Verdict(number="1.6", says=says, result=Result.NOT_TRIED, why="no call was made")
    return Verdict(number="1.6", says=says, result=Result.KEPT)
