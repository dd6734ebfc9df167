"""One cluster, one release and one person for the whole story; its files run in the order in which a release lives."""

from __future__ import annotations

import pathlib
import tempfile
import time

import pytest

from tests.chart_cluster import ground as grounds
from tests.chart_cluster.person import Person, forwarded
from tests.chart_cluster.release import CHART, Release, commands

STORY = (
    "test_install", "test_first_day", "test_closed", "test_killed_pods", "test_upgrades", "test_configuration",
    "test_rotated", "test_more_parts", "test_time_is_up", "test_restored", "test_beside", "test_another_major", "test_shapes",
    "test_bad_input", "test_uninstalling",
)  # fmt: skip
#: Where people reach the second release; the first has the port of the notes.
SECOND = "https://127.0.0.1:7071"
#: What was measured on the way, for the summary.
FIGURES: list[str] = []


def pytest_collection_modifyitems(items):
    """Sort by the story; the tests of a file stay as they are written."""
    items.sort(key=lambda item: STORY.index(item.path.stem) if item.path.stem in STORY else -1)


def pytest_terminal_summary(terminalreporter):
    """Print what was measured."""
    for line in FIGURES:
        terminalreporter.write_line(line)


class Clock:
    """Takes the time between the steps of a way."""

    def __init__(self):
        self.begin()

    def begin(self):
        self.began = self.last = time.monotonic()
        self.steps = []

    def step(self, name):
        now = time.monotonic()
        self.steps.append(f"{name} {now - self.last:.1f}")
        self.last = now

    def __str__(self):
        return f"{self.last - self.began:.1f} s: {', '.join(self.steps)}"


@pytest.fixture(scope="session")
def figures():
    return FIGURES


@pytest.fixture(scope="session")
def ground():
    with grounds.up() as found:
        yield found


@pytest.fixture(scope="session")
def clock():
    return Clock()


@pytest.fixture(scope="session")
def release(ground, clock):
    """The release of the page, installed by the page's own command."""
    made = Release(ground=ground)
    assert not ground.get("namespace", made.control), f"{made.control} is there: these tests install their own"
    clock.begin()
    try:
        made.documented(commands("docs/operate/install.md", "kind, k3s, a lab's own machines")[0])
        clock.step("helm install")
        made.until_ready()
        clock.step("all pods ready")
        yield made
    finally:
        _remove(made)


def _remove(release):
    """Leave nothing on a cluster that goes on; of ours nothing stays anyway."""
    if release.ground.machine is None:
        release.remove()


@pytest.fixture(scope="session")
def alone(release):
    """What the first release was while it was alone."""
    return release.whole()


@pytest.fixture(scope="session")
def second(ground, alone):
    """Another release in namespaces of its own, over the oldest PostgreSQL that the services take."""
    spaces = {"controlplane": "lab-controlplane", "workloads": "lab-boxes", "privileged": "lab-privileged"}
    made = Release(
        ground=ground, name="lab", control=spaces["controlplane"], boxes=spaces["workloads"],
        here={"namespaces": spaces, "apiService": {"publicOrigin": SECOND}}, postgres=ground.images.postgres_oldest,
    )  # fmt: skip
    try:
        made.helm("install", CHART, f"--values={CHART}/values-kind.yaml", f"--values={made.values}", "--wait")
        yield made
    finally:
        _remove(made)


@pytest.fixture(scope="session")
def kim(ground, release, clock):
    """The first person, let in and signed in by what the notes say, with a port-forward to each door."""
    person = Person(pathlib.Path(tempfile.mkdtemp(prefix="gpudev-c-", dir=ground.scratch)), ground=ground)
    person.make_key()
    (first,) = release.told("kubectl exec")
    person.shell(first.replace("NAME", "kim"))
    clock.step("first person")
    api, gateway = release.told("kubectl port-forward")
    with forwarded(person, api), forwarded(person, gateway):
        (login,) = release.told("gpudev login")
        # ssh looks for keys in the home that the system knows, which is not this person's.
        person.shell(f"{login} --key ~/.ssh/id_ed25519")
        clock.step("port-forwards and login")
        yield person


@pytest.fixture(scope="session")
def brief(kim):
    """A box of the shortest time there is, whose five minutes pass while the first half of the story is told."""
    kim.cli("reserve", "h100:1", "5m", "--disk", "brief")
    kim.ssh("brief", "echo kept > ~/notes; sync")
    return "brief"
