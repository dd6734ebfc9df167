"""A person's first day: a box, a file, the line, and everything given back."""

from __future__ import annotations

import json
import pathlib
import stat
import subprocess

import pytest

from tests.fix_install import until

pytestmark = pytest.mark.sandbox


def test_a_file_on_a_disk_is_there_in_the_next_box(install):
    install.cli("reserve", "cpu", "1h", "--disk", "work")
    install.ssh("work", "echo precious > ~/notes; sync")
    install.cli("cancel", "work", "--wait")
    install.cli("reserve", "cpu", "1h", "--disk", "work")
    assert install.ssh("work", "cat ~/notes").stdout == "precious\n"
    install.cli("cancel", "work", "--wait")


def test_a_throw_away_home_is_thrown_away(install):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "brief")
    install.ssh("brief", "echo x > ~/notes")
    install.cli("cancel", "brief", "--wait")
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "brief")
    assert install.ssh("brief", "ls ~/notes", ok=False).returncode != 0
    install.cli("cancel", "brief", "--wait")


def test_who_comes_later_waits_with_a_time_and_starts_by_itself(install):
    install.cli("reserve", "h100:8", "2h", "--no-disk", "--name", "first")
    said = install.cli("reserve", "h100:4", "1h", "--no-disk", "--name", "second", "--no-wait").stdout
    assert "place 1" in said
    row = until(lambda: (row := install.json("show", "second"))["starts_at"] and row)
    assert (row["state"], row["position"], row["waiting_for"]) == ("queued", 1, "4 × h100")

    install.cli("cancel", "first")
    install.cli("wait", "second")
    assert install.ssh("second", "echo $GPUDEV_NAME").stdout == "second\n"
    install.cli("cancel", "second", "--wait")


def test_the_exit_code_of_a_command_comes_back(install):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "codes")
    assert install.cli("exec", "codes", "--", "sh", "-c", "exit 7", ok=False).returncode == 7
    assert install.ssh("codes", "exit 9", ok=False).returncode == 9
    install.cli("cancel", "codes", "--wait")


def test_files_are_copied_both_ways(install, tmp_path):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "copies")
    (tmp_path / "a file").write_bytes(b"\0bytes\n" * 1000)
    install.cli("cp", str(tmp_path / "a file"), "copies:there")
    install.cli("cp", "copies:there", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == (tmp_path / "a file").read_bytes()
    install.cli("cancel", "copies", "--wait")


def test_a_busy_disk_is_refused_and_its_holder_named(install):
    install.cli("reserve", "cpu", "1h")
    refused = install.cli("reserve", "cpu", "1h", ok=False)
    assert refused.returncode == 1
    assert "home" in refused.stderr
    install.cli("cancel", "home", "--wait")


def test_extending_moves_the_end(install):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "longer")
    before = install.json("show", "longer")["granted_seconds"]
    install.cli("extend", "longer", "2h")
    assert install.json("show", "longer")["granted_seconds"] == before + 7200
    install.cli("cancel", "longer", "--wait")


def test_a_snapshot_brings_an_older_content_back(install):
    install.cli("reserve", "cpu", "1h", "--disk", "past")
    install.ssh("past", "echo old > ~/notes")
    install.cli("cancel", "past", "--wait")
    snapshot = json.loads(install.cli("disk", "snapshots", "past", "--json").stdout)
    old = (snapshot["items"] if isinstance(snapshot, dict) else snapshot)[0]["id"]
    install.cli("reserve", "cpu", "1h", "--disk", "past")
    install.ssh("past", "echo new > ~/notes")
    install.cli("cancel", "past", "--wait")

    install.cli("disk", "restore", "past", old)
    install.cli("reserve", "cpu", "1h", "--disk", "past")
    assert install.ssh("past", "cat ~/notes").stdout == "old\n"
    install.cli("cancel", "past", "--wait")


def test_a_deleted_disk_can_be_had_back(install):
    install.cli("reserve", "cpu", "1h", "--disk", "gone")
    install.ssh("gone", "echo kept > ~/notes")
    install.cli("cancel", "gone", "--wait")
    install.cli("disk", "delete", "gone", "--yes")
    assert "gone" not in install.cli("disk", "list").stdout
    install.cli("disk", "undelete", "gone")
    install.cli("reserve", "cpu", "1h", "--disk", "gone")
    assert install.ssh("gone", "cat ~/notes").stdout == "kept\n"
    install.cli("cancel", "gone", "--wait")


def test_a_box_names_the_place_it_is_in(install):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "inside")
    about = json.loads(install.ssh("inside", "cat /run/gpudev/reservation.json").stdout)
    assert (about["name"], about["gpu_type"]) == ("inside", "cpu")
    install.cli("cancel", "inside", "--wait")


def test_a_box_of_this_machine_says_what_it_shares(install):
    install.cli("reserve", "h100:4", "1h", "--no-disk", "--name", "open")
    assert install.ssh("open", "echo $CUDA_VISIBLE_DEVICES").stdout == "0,1,2,3\n"
    notes = install.json("show", "open")["notes"]
    assert notes["isolation"] == "sandbox"
    assert "localhost is shared" in notes["network"]
    install.cli("cancel", "open", "--wait")


def test_nothing_is_written_into_the_home_of_whoever_uses_it(install):
    assert list((install.root / "home").iterdir()) == []


def test_what_gpudev_keeps_is_its_owners_alone(install):
    for path in (install.data, install.data / "run", install.root / "config" / "ssh"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (install.data / "run" / "api.sock", *(install.root / "config" / "ssh").glob("id_*[!b]")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_secret_value_shows_in_the_process_list(install):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "secretive", "--env", "WANDB_KEY=canary-4711")
    assert install.ssh("secretive", "echo $WANDB_KEY").stdout == "canary-4711\n"
    seen = [path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"canary-4711" in line for line in seen)
    assert "canary-4711" not in (install.data / "log" / "gpudev.log").read_text()
    install.cli("cancel", "secretive", "--wait")


def test_a_pipe_that_breaks_is_no_error(install):
    shown = subprocess.run(
        "gpudev avail --json | true; echo ${PIPESTATUS[0]}", shell=True, executable="/bin/bash", env=install.environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Traceback" not in shown.stderr
