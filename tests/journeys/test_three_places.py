"""One control plane with AWS, Google Cloud and this machine: by the command line, over fakes of both clouds."""

from __future__ import annotations

import attrs
import pytest

from tests.fix_install import Install, prepare, until
from tests.places.world import CREDENTIALS, EAST, EAST_ZONE, FAR_ZONE, WEST, build_world

pytestmark = pytest.mark.sandbox
CONFIG = """
gateway = "127.0.0.1:0"
processors = 4
[limits]
grace_seconds = 2
stop_allowance_seconds = 5
[backends.local]
compute = "local"
storage = "local"
[backends.local.local]
pretend = "a100:1"
cpu_slots = 4
free_floor_bytes = 1000000
"""


@attrs.frozen(kw_only=True)
class Trouble:
    """A cloud that has it: what of it is said, and a type that another place has."""

    backend: str
    away: str
    expired: str
    denied: str
    elsewhere: str


AWS = Trouble(
    backend=EAST,
    away="its disks do not answer: the answer of AWS was lost",
    expired="our credentials for AWS have expired",
    denied="the permission ec2:CreateVolume is missing",
    elsewhere="l4",
)
GOOGLE = Trouble(
    backend=WEST,
    away="its disks do not answer: cannot look at a disk: Google Cloud does not answer",
    expired="Google does not know us: the credentials are missing, wrong or expired",
    denied="the permission compute.disks.create is missing",
    elsewhere="a100",
)
of_both = pytest.mark.parametrize("trouble", [AWS, GOOGLE], ids=["aws", "gcp"])


@attrs.define
class Cloudy(Install):
    """An install whose operator has credentials for both clouds."""

    google: dict[str, str] = attrs.field(factory=dict)

    @property
    def environment(self):
        nowhere = str(self.root / "none")
        return (
            super().environment
            | CREDENTIALS
            | self.google
            | dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), nowhere)
        )


@pytest.fixture(scope="module")
def world():
    yield from build_world()


@pytest.fixture(scope="module")
def install(world):
    made = prepare(CONFIG, Cloudy)
    made.google = world.west.account.environment
    (made.data / "config.toml").write_text(CONFIG + world.config(made.root, google=""))
    made.up()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nothing_left(install, world):
    """What a test started is over at its end, and neither cluster has anything of it."""
    yield
    for cloud in (world.east, world.west):
        cloud.come_back()
        cloud.cluster.come_back()
    install.cli("cancel", "--all", "--yes", "--wait", ok=False)
    assert world.left() == []


def reserve(install, *words):
    """Ask for a box, wait until it is up, and return it."""
    install.cli("reserve", *words)
    return install.json("show", words[words.index("--name" if "--name" in words else "--disk") + 1])


def troubles(install):
    """Return what `avail` says is in the way, by backend."""
    found = {}
    for row in install.json("avail")["rows"]:
        found.setdefault(row["backend"], set()).update(row["trouble"])
    return found


def says(install, backend, *words):
    """Wait until `avail` says each of these of a backend, and of no other anything."""
    until(lambda: all(word in "".join(troubles(install)[backend]) for word in words), every=0.3)
    assert not any(said for place, said in troubles(install).items() if place != backend)


def is_well(install):
    """Wait until nothing is in the way of any backend."""
    until(lambda: not any(troubles(install).values()), every=0.3)


def test_all_types_are_shown_with_their_place(install):
    rows = install.json("avail")["rows"]

    assert {(row["gpu_type"], row["backend"]) for row in rows} == {
        ("h100", EAST), ("h100", WEST), ("l4", WEST), ("a100", "local"), ("cpu", "local"),
    }  # fmt: skip
    assert f"h100 @ {WEST}" in install.cli("avail").stdout


def test_a_box_starts_where_its_person_says_and_says_where_it_is(install, world):
    made = reserve(install, "h100", "1h", "--backend", EAST, "--no-disk", "--name", "there")
    assert (made["backend"], made["node"]) == (EAST, world.east.nodes[0])
    assert f"runs on         {EAST} / {world.east.nodes[0]}" in install.cli("show", "there").stdout
    assert [row["backend"] for row in install.json("list")["items"]] == [EAST]
    assert [kind for kind, _ in world.left()] == ["pods"]

    reserve(install, "cpu", "1h", "--no-disk", "--name", "here")
    assert install.ssh("here", "echo $GPUDEV_NAME").stdout == "here\n"


def test_a_backend_there_is_not_is_refused_with_those_there_are(install):
    refused = install.cli("reserve", "h100", "1h", "--backend", "mars", ok=False)

    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-2:] == [
        "gpudev: there is no backend 'mars' here", f"There are: {EAST}, {WEST}, local.",
    ]  # fmt: skip


def test_a_request_for_any_place_starts_in_the_one_that_is_first(install):
    for number in range(3):
        reserve(install, "h100:2", "2h", "--backend", EAST, "--no-disk", "--name", f"east-{number}")
    assert reserve(install, "h100:2", "1h", "--no-disk", "--name", "west")["backend"] == WEST

    said = install.json("reserve", "h100:2", "1h", "--no-disk", "--dry-run")
    assert (said["backend"], said["waiting_for"]) == (WEST, f"2 × h100 in {WEST}")
    install.cli("reserve", "h100:2", "1h", "--no-disk", "--name", "next", "--no-wait")
    assert f"2 × h100 in {WEST}" in install.cli("show", "next").stdout

    install.cli("cancel", "east-1")
    install.cli("wait", "next")
    assert install.json("show", "next")["backend"] == EAST


def test_a_disk_lives_in_its_place_and_goes_on_in_another_zone_from_its_snapshot(install, world):
    east = world.east
    assert reserve(install, "h100", "1h", "--backend", EAST, "--disk", "work")["node"] == east.nodes[0]
    (first,) = east.volumes()
    install.cli("cancel", "work", "--wait")
    shown = install.cli("disk", "show", "work")
    assert f"{EAST}, in {EAST_ZONE}" in shown.stdout
    assert f"another zone of {EAST}: gpudev disk move work" in shown.stderr
    assert [move["to"] for move in install.json("disk", "show", "work")["moves"]] == [
        f"another zone of {EAST}", WEST, "local",
    ]  # fmt: skip
    refused = install.cli("reserve", "h100", "1h", "--backend", WEST, "--disk", "work", ok=False)
    assert f"the disk 'work' is on {EAST}, and the box would be on {WEST}" in refused.stderr
    refused = install.cli("reserve", "l4", "1h", "--disk", "work", ok=False)
    assert f"{EAST} has no l4, where the disk 'work' is" in refused.stderr

    reserve(install, "h100:2", "2h", "--backend", EAST, "--no-disk", "--name", "full-1")
    assert reserve(install, "h100", "1h", "--disk", "work")["node"] == east.nodes[1]
    assert [volume["VolumeId"] for volume in east.volumes()] == [first["VolumeId"]]
    install.cli("cancel", "work", "--wait")

    reserve(install, "h100:2", "2h", "--backend", EAST, "--no-disk", "--name", "full-2")
    install.cli("reserve", "h100", "1h", "--disk", "work", "--no-wait")
    assert install.state("work") == "queued"
    install.cli("disk", "move", "work")
    install.cli("wait", "work")
    assert install.json("show", "work")["node"] == east.nodes[2]
    (moved,) = east.volumes()
    assert moved["AvailabilityZone"] == FAR_ZONE
    assert moved["SnapshotId"] in {snapshot["SnapshotId"] for snapshot in east.snapshots()}


def test_disks_and_snapshots_stay_and_nothing_else(install, world):
    def kept():
        west = world.west.compute.world
        return [len(things) for things in (world.east.volumes(), world.east.snapshots(), west.disks, west.snapshots)]

    before = kept()
    assert reserve(install, "h100", "1h", "--backend", EAST, "--disk", "large")["backend"] == EAST
    assert reserve(install, "l4", "1h", "--disk", "small")["backend"] == WEST
    install.cli("cancel", "large", "small", "--wait")

    assert kept() == [count + 1 for count in before]
    assert world.left() == []
    assert install.json("admin", "doctor")["findings"] == []


@of_both
def test_while_one_place_is_away_the_others_go_on_and_nothing_of_it_is_lost(install, world, trouble):
    """First its disks do not answer, then its credentials have expired, then its cluster is away."""
    place, cloud = trouble.backend, world.clouds[trouble.backend]
    reserve(install, "h100", "1h", "--backend", place, "--no-disk", "--name", "stays")
    pods = set(world.left())
    cloud.go_away()
    says(install, place, f"{place} takes nothing new, as it cannot be seen now", trouble.away)
    assert reserve(install, "h100", "1h", "--no-disk", "--name", "other")["backend"] != place
    install.cli("reserve", "h100", "1h", "--backend", place, "--no-disk", "--name", "waits", "--no-wait")
    assert trouble.away in install.json("show", "waits")["waiting_for"]

    cloud.expire()
    says(install, place, trouble.expired)

    cloud.come_back()
    cloud.cluster.go_away()
    says(install, place, f"{place} takes nothing new, as it cannot be seen now", "the cluster does not answer")
    assert "the cluster does not answer" in install.json("status")["server"]["backends"][place]["trouble"]
    reserve(install, trouble.elsewhere, "1h", "--no-disk", "--name", "another")
    until(lambda: "cannot tell how the box is" in install.json("show", "stays")["detail"], every=0.3)
    assert install.state("stays") == "active"

    cloud.cluster.come_back()
    install.cli("wait", "waits")
    is_well(install)
    assert install.json("show", "waits")["backend"] == place
    assert (install.state("stays"), pods <= set(world.left())) == ("active", True)


@of_both
def test_a_permission_that_is_missing_is_said_to_whoever_waits_for_it(install, world, trouble):
    world.clouds[trouble.backend].deny()
    install.cli("reserve", "h100", "1h", "--backend", trouble.backend, "--disk", "new", "--no-wait")

    until(lambda: trouble.denied in install.json("show", "new")["detail"], every=0.3)
    assert trouble.denied in install.cli("show", "new").stdout
    world.clouds[trouble.backend].come_back()
    install.cli("cancel", "new", "--wait")
    install.cli("disk", "delete", "new", "--yes")
