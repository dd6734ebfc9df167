"""A skip whose reason is not known here fails the run: what is not tested is counted, explained, and agreed on."""

from __future__ import annotations

import os

import pytest

AS_ROOT = ("root may write anywhere", "needs an ordinary user")
AS_ORDINARY = (
    "needs root",
    "only root",
    "takes root",
    "where root started gpudev",
    "an ordinary user",
    "bubblewrap is not installed",
)
#: What a system may be without.
ANYWHERE = (
    "lets gpudev set no limit",
    "shares blocks",
    "cannot mount a small filesystem",
    "missing ability",
    "fake-gcs-server is not installed",
    "helm is not installed",
    "promtool is not installed",
    "rsync is not installed",
    "is not one that is brought up here",
    "is for all clusters of a project",
    "the lock is of amd64",
    "the programs of the cluster are not built",
)


class LawfulSkips:
    """Collects the reasons of all skips, in the process that reports."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skip that nobody agreed on."""
        if not report.skipped or not isinstance(report.longrepr, tuple):
            return
        reason = report.longrepr[2]
        lawful = ANYWHERE + (AS_ROOT if os.geteuid() == 0 else AS_ORDINARY)
        if not any(known in reason for known in lawful):
            self.unknown.add(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run for it."""
        if self.unknown and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which."""
        for line in sorted(self.unknown):
            terminalreporter.write_line(f"SKIPPED FOR NO KNOWN REASON {line}", red=True)
