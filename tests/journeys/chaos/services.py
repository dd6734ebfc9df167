"""One process of the install: started again when it died, killed, stopped and resumed."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import time

import attrs

#: After a start that failed, as of a processor while PostgreSQL is away.
PAUSE = 0.5


@attrs.define
class Service:
    """One process that the keeper keeps up."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: pathlib.Path
    process: subprocess.Popen[bytes] | None = None
    #: By the monotonic clock: not started again before; goes on again then.
    not_before: float = 0.0
    resume_at: float | None = None
    starts: int = 0

    @property
    def is_up(self) -> bool:
        """Whether it lives and is not stopped."""
        return self.process is not None and self.process.poll() is None and self.resume_at is None

    def look_after(self) -> None:
        """Resume it when its time has come, and start it if it is dead."""
        now = time.monotonic()
        if self.resume_at is not None and now >= self.resume_at:
            self.resume()
        if now < self.not_before or (self.process is not None and self.process.poll() is None):
            return
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.starts += 1
        self.resume_at, self.not_before = None, now + PAUSE

    def kill(self, hold: float = 0.0) -> None:
        """Kill -9, and keep it down for `hold` seconds."""
        self.not_before = time.monotonic() + hold
        assert self.process is not None  # started before anybody is tormented
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def stop(self, seconds: float) -> None:
        """SIGSTOP, until the keeper resumes it after `seconds`."""
        assert self.process is not None  # started before anybody is tormented
        self.resume_at = time.monotonic() + seconds
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.resume_at = None
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
