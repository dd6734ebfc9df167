"""A loop of a worker: how long ago it came round."""

from __future__ import annotations

import threading

from gpudev_sdk.engine.loop import Loop


def test_a_loop_that_comes_round_is_young_and_one_that_fails_grows_old():
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
        young = loop.age
        fails.set()
        turned.clear()
        assert turned.wait(10)
        before = loop.age
        turned.clear()
        loop.nudge()
        assert turned.wait(10)
        assert loop.age > before
        assert young < 5
    finally:
        loop.stop()
        loop.join(10)
