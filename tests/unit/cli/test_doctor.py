"""`gpudev admin doctor`: a line for each finding with what to do, the same as JSON, and an exit status that says so."""

from __future__ import annotations

import datetime as dt
import json

from gpudev_sdk.wire import admin_views

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
FINDINGS = [
    admin_views.FindingView(law="I-1", what="work holds 1 of 2 slots", next_step="Stop gpudev and report this."),
    admin_views.FindingView(law="seen", what="lab: the line\x1b[2J is cut", next_step="See that it can be reached."),
]


def ill(stub):
    stub.on("GET", "/admin/doctor", admin_views.DoctorView(as_of=NOW, findings=FINDINGS))


def test_every_finding_is_one_line_with_what_to_do(gpudev, stub):
    ill(stub)
    done = gpudev("admin", "doctor")
    head, *lines = done.out.splitlines()
    assert done.status == 1
    assert head.split() == ["LAW", "WHAT", "NEXT", "STEP"]
    assert [line.split()[0] for line in lines] == ["I-1", "seen"]
    assert all(line.endswith(finding.next_step) for line, finding in zip(lines, FINDINGS, strict=True))
    assert "\x1b" not in done.out


def test_json_says_the_same(gpudev, stub):
    ill(stub)
    done = gpudev("admin", "doctor", "--json")
    assert done.status == 1
    assert [one["law"] for one in json.loads(done.out)["findings"]] == ["I-1", "seen"]
    assert [one["next_step"] for one in json.loads(done.out)["findings"]] == [one.next_step for one in FINDINGS]


def test_all_is_well_in_one_line(gpudev, stub):
    stub.on("GET", "/admin/doctor", admin_views.DoctorView(as_of=NOW, findings=[]))
    done = gpudev("admin", "doctor")
    assert (done.status, done.out) == (0, "All is as it should be.\n")
