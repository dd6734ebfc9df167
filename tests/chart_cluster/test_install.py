"""The command of the page, and what is there when it has returned."""

from __future__ import annotations

import pytest

from tests.chart_cluster.release import COMPONENT
from tests.fix_install import until


def test_a_person_has_a_shell_on_a_gpu_minutes_after_the_one_command(kim, clock, figures):
    kim.cli("reserve", "h100:1", "1h", "--disk", "first")
    clock.step("reserve until the box is up")
    assert kim.ssh("first", "id -un").stdout == "dev\n"
    clock.step("ssh")

    figures.append(f"helm install → first ssh {clock}")
    kim.cli("cancel", "first", "--wait")


def test_every_pod_is_ready_as_the_notes_have_them_seen(release):
    (look,) = release.told("kubectl get pods")
    rows = [line.split() for line in release.ground.run(*look.split(), "--no-headers").stdout.splitlines()]
    serving = {row[0]: row[1:3] for row in rows if row[2] != "Completed"}

    assert {name.removeprefix("gpu-dev-").split("-")[0] for name in serving} >= {
        "api",
        "processor",
        "gateway",
        "postgres",
    }
    assert {tuple(state) for state in serving.values()} <= {("1/1", "Running")}, rows


def test_no_pod_had_to_be_started_again(release):
    restarts = {
        pod["metadata"]["name"]: status["restartCount"]
        for pod in release.get("pods")
        for status in pod["status"]["containerStatuses"]
    }

    assert set(restarts.values()) == {0}, restarts


def test_of_its_jobs_one_migration_stays_which_has_succeeded(release):
    jobs = {job["metadata"]["labels"][COMPONENT]: job for job in release.get("jobs")}

    assert jobs.keys() - {"expiry", "availability"} == {"migrate"}
    assert jobs["migrate"]["status"]["succeeded"] == 1


def test_helms_own_test_passes(release):
    assert release.helm("test").count("Phase:          Succeeded") == 2


def test_the_schema_refuses_a_slip_of_the_pen_and_nothing_changes(release):
    before = release.steady()
    said = release.upgrade("--set", "apiService.replica=2", ok=False)

    assert "replica" in said and "not allowed" in said.lower(), said
    assert release.steady() == before
    assert release.revision() == 1


@pytest.fixture
def idle(release, figures):
    """The memory of each pod, once the kubelet has looked."""
    found = until(release.memory, within=60, every=2)
    figures.append("idle, MB: " + ", ".join(f"{name} {size:.0f}" for name, size in sorted(found.items())))
    figures.append(f"idle, MB in all: {sum(found.values()):.0f}")
    return found


def test_the_control_plane_is_small_when_idle(idle):
    assert sum(idle.values()) < 600


def test_an_upgrade_with_nothing_new_but_a_password_changes_nothing(release, figures):
    made, before, secret = release.manifest(), release.steady(), release.secret()
    figures.append(
        f"rendered: {len(made)} objects, {sum(len(text.splitlines()) for text in made)} lines, hooks left out"
    )
    release.upgrade("--set", "postgres.auth.password=another", "--wait")

    assert release.manifest() == made
    assert release.steady() == before
    assert release.secret() == secret
