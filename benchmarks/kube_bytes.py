"""Bytes through the gateway beside bare ssh to the same sshd of the same pod; and how an echo fares under ten streams."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator

from kube_ground import Ground, bare_ssh, figure, reserved
from measure import line

MEGABYTES = 200
DOWN, UP = f"head -c {MEGABYTES}M /dev/zero", "cat >/dev/null"
STREAMS, ECHOES = 10, 200


def measure(ground: Ground, rounds: int) -> None:
    """Print the figures; the box has all of the node that boxes may have, so that its own share is not what is measured."""
    payload = ground.folder / "payload"
    payload.write_bytes(bytes(MEGABYTES * 2**20))
    with reserved(ground, "h100:8", "1h", name="bytes") as address:
        own = ground.install.root / "config" / "ssh" / "id_ed25519"

        def bare(*command: str) -> list[str]:
            return bare_ssh(own, address, *command)

        def ours(*command: str) -> list[str]:
            return ground.ssh("bytes", *command)

        _streams(ground, rounds, bare, ours, payload)
        for what, way, bar in (("bare", bare, ""), ("through the gateway", ours, "bar p95 20 ms")):
            with _session(ground, way("cat")) as session:
                _echo(f"echo, {what}, nothing else", session, "")
            with _bulk(ground, way), _session(ground, way("cat")) as session:
                time.sleep(2)
                _echo(f"echo, {what}, under {STREAMS} bulk streams", session, bar)


def _streams(ground: Ground, rounds: int, bare, ours, payload) -> None:
    env = ground.install.environment
    rates: dict[str, list[float]] = {"bare down": [], "ours down": [], "bare up": [], "ours up": []}
    for _ in range(rounds):
        for what, command in (("bare down", bare(DOWN)), ("ours down", ours(DOWN))):
            began = time.perf_counter()
            subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
            rates[what].append(MEGABYTES / (time.perf_counter() - began))
        for what, command in (("bare up", bare(UP)), ("ours up", ours(UP))):
            with payload.open("rb") as source:
                began = time.perf_counter()
                subprocess.run(command, env=env, stdin=source, check=True)
                rates[what].append(MEGABYTES / (time.perf_counter() - began))
    for way in ("down", "up"):
        floor = figure(f"one stream {way}, bare ssh to the pod", rates[f"bare {way}"], unit="MB/s", digits=0)
        rate = figure(f"one stream {way}, through the gateway", rates[f"ours {way}"], unit="MB/s", digits=0)
        line("  of bare", f"{rate / floor:.2f} ×", "bar 0.5")


@contextlib.contextmanager
def _session(ground: Ground, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, env=ground.install.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _bulk(ground: Ground, way) -> Iterator[None]:
    """Read without end from the box, ten times at once."""
    streams = [
        subprocess.Popen(way("cat /dev/zero"), env=ground.install.environment, stdout=subprocess.DEVNULL,
                         stdin=subprocess.DEVNULL)
        for _ in range(STREAMS)
    ]  # fmt: skip
    try:
        yield
    finally:
        for stream in streams:
            stream.kill()
            stream.wait()


def _echo(what: str, session: subprocess.Popen[bytes], bar: str) -> None:
    """Send a letter and wait for it, again and again."""
    took = []
    for number in range(ECHOES + 10):
        began = time.perf_counter()
        session.stdin.write(b"x")
        assert session.stdout.read(1) == b"x"
        # The first ones come before the session is up.
        if number >= 10:
            took.append((time.perf_counter() - began) * 1000)
        time.sleep(0.02)
    p95 = sorted(took)[int(len(took) * 0.95)]
    figure(what, took, f"p95 {p95:.1f}" + (f", {bar}" if bar else ""), unit="ms", digits=1)
