"""The end of a box by time: warned in its terminals, ended a full grace after the notice, never before."""

from __future__ import annotations

import pexpect
import pytest

from tests.fix_install import until

pytestmark = pytest.mark.sandbox


def move_end(install, name, seconds):
    """Make a box's end come nearer, as if it had begun earlier."""
    install.sql(
        "UPDATE reservation SET started_at = started_at - make_interval(secs => %s), "
        "expires_at = expires_at - make_interval(secs => %s), wake_at = gpudev_now() WHERE name = %s",
        seconds, seconds, name,
    )  # fmt: skip
    install.sql('SELECT pg_notify(\'gpudev\', \'{"kind": "reservation", "id": null}\')')


def test_a_box_is_warned_in_its_terminals_and_ends_after_the_notice(install):
    install.cli("reserve", "cpu", "1h", "--disk", "timed")
    install.ssh("timed", "echo precious > ~/notes")
    command = install.ssh_command("timed")
    terminal = pexpect.spawn(command[0], ["-tt", *command[1:]], env=install.environment, timeout=30)
    terminal.expect([r"\$ ", "# "])

    move_end(install, "timed", 3600 - 290)
    terminal.expect("timed ends at .* in 5 min")
    assert "in 5 min" in install.ssh("timed", "cat /run/gpudev/notice").stdout

    move_end(install, "timed", 290)
    terminal.expect("time of timed was up")
    terminal.expect(pexpect.EOF)
    terminal.close()
    until(lambda: install.state("timed") == "ended", within=40)
    assert install.json("show", "timed")["end_reason"] == "expired"

    install.cli("reserve", "cpu", "1h", "--disk", "timed")
    assert install.ssh("timed", "cat ~/notes").stdout == "precious\n"
    install.cli("cancel", "timed", "--wait")


def test_extending_in_the_grace_saves_the_box(install):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "saved")
    move_end(install, "saved", 3600)
    until(lambda: "was up" in install.ssh("saved", "cat /run/gpudev/notice", ok=False).stdout)
    install.cli("extend", "saved", "1h")
    until(lambda: install.ssh("saved", "cat /run/gpudev/notice").stdout == "")
    assert install.state("saved") == "active"
    install.cli("cancel", "saved", "--wait")
