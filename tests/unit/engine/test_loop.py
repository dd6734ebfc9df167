"""A loop of a worker: whether it comes round."""

from __future__ import annotations

import threading

from gpudev_sdk.engine import loop as module
from gpudev_sdk.engine.loop import Loop


def test_a_loop_that_comes_round_is_in_time_and_one_that_fails_gets_later():
    fails, turned = threading.Event(), threading.Event()

    def work():
        turned.set()
        if fails.is_set():
            raise ValueError("planted")
        return 0.01

    loop = Loop("one", work)
    loop.start()
    try:
        assert turned.wait(10)
        in_time = loop.late
        fails.set()
        turned.clear()
        assert turned.wait(10)
        before = loop.late
        turned.clear()
        loop.nudge()
        assert turned.wait(10)
        assert loop.late > before
        assert in_time < 5
    finally:
        loop.stop()
        loop.join(10)


def test_a_loop_lives_on_however_often_it_failed(monkeypatch):
    monkeypatch.setattr(module.log, "exception", lambda *said, **more: None, raising=False)
    tries, done = 0, threading.Event()

    def work():
        nonlocal tries
        tries += 1
        loop.nudge()
        if tries == 1100:
            done.set()
        raise ValueError("planted")

    loop = Loop("one", work)
    loop.start()
    try:
        assert done.wait(30)
    finally:
        loop.stop()
        loop.join(10)
