"""Whatever people ask in whatever order, and whatever happens meanwhile: gpudev shows what the model expects."""

from __future__ import annotations

import os
from collections import Counter
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.model.reference import OFFERED, Box, Model, Refused
from tests.model.world import seconds

#: Without the phase that explains a failure, which runs every step under a tracer.
PHASES = (Phase.generate, Phase.target, Phase.shrink)
SAME = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "phases": PHASES}
PROFILES = {
    # The same steps each time, so that a failure is met again.
    "ci": settings(max_examples=60, stateful_step_count=30, derandomize=True, **SAME),
    "one": settings(
        max_examples=60, stateful_step_count=30, derandomize=True, **(SAME | {"phases": (Phase.generate,)})
    ),
    "long": settings(max_examples=2000, stateful_step_count=60, **SAME),
}
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
WHO = st.sampled_from(["kim", "lee"])
DISK = st.sampled_from(["data", "home"])
NUMBER = st.integers(0, 7)
BODY = st.fixed_dictionaries(
    {
        "gpu_type": st.just("h100"),
        "gpus": st.sampled_from([1, 2, 4, 8]),
        "duration_seconds": st.sampled_from([600, 3600, 7200, 7200, 30000]),
        "priority": st.sampled_from([0, 0, 0, -1, 1]),
        "disk": st.none() | DISK,
        "name": st.sampled_from([None, None, None, "box", "data"]),
        "max_wait_seconds": st.sampled_from([None, None, 1800]),
    }
)
PLAIN = {"duration_seconds": 3600, "priority": 0, "disk": None, "name": None, "max_wait_seconds": None}
CPU = PLAIN | {"gpu_type": "cpu", "gpus": 0}
WHOLE = PLAIN | {"gpu_type": "h100", "gpus": 8}


class Machine(RuleBasedStateMachine):
    """Asks the API and the model the same, and compares all that the API shows."""

    world = None
    #: What came to pass over all examples: refusals and ends.
    seen: ClassVar = Counter()

    @initialize()
    def begin(self):
        self.world.begin()
        self.model, self.ids, self.used_keys, self.turn = Model(), {}, 0, 0

    def same(self, asked, expected):
        """Ask both; both answer, or both refuse by the same code."""
        try:
            found = expected()
        except Refused as refused:
            found = str(refused)
        answer = asked()
        code = answer if isinstance(answer, str) else None
        self.seen[code] += 1
        assert code == (found if isinstance(found, str) else None), f"{answer} and not {found}"
        return answer, found

    @rule(who=WHO, body=BODY)
    def submit(self, who, body):
        self.submit_new(who, body)

    @rule(who=WHO, gpus=st.sampled_from([1, 2, 6]), hours=st.integers(1, 3), disk=DISK)
    def submit_with_disk(self, who, gpus, hours, disk):
        self.submit_new(who, WHOLE | {"gpus": gpus, "duration_seconds": 3600 * hours, "disk": disk})

    @rule(who=WHO, body=st.sampled_from([CPU, WHOLE]))
    def submit_plain(self, who, body):
        self.submit_new(who, body)

    def submit_new(self, who, body):
        self.used_keys += 1
        self.submit_as(who, f"key-{self.used_keys}", body)

    @precondition(lambda self: self.used_keys)
    @rule(who=WHO, body=BODY, number=NUMBER, same_body=st.booleans())
    def submit_again(self, who, body, number, same_body):
        key = f"key-{self.used_keys - number % self.used_keys}"
        before = self.model.keys.get((who, key))
        self.submit_as(who, key, before[0] if before and same_body else body)

    def submit_as(self, who, key, body):
        headers = {"Idempotency-Key": key}
        answer, box = self.same(
            lambda: self.world.call(who, "POST", "/reservations", json=body, headers=headers),
            lambda: self.model.submit(who, key, body),
        )
        if isinstance(box, Box):
            assert self.ids.setdefault(box, answer["id"]) == answer["id"]

    def one(self, number):
        return self.model.boxes[-1 - number % len(self.model.boxes)]

    @precondition(lambda self: self.model.boxes)
    @rule(who=WHO, number=NUMBER)
    def cancel(self, who, number):
        box = self.one(number)
        self.same(
            lambda: self.world.call(who, "DELETE", f"/reservations/{self.ids[box]}"),
            lambda: self.model.cancel(who, box),
        )

    @precondition(lambda self: self.model.boxes)
    @rule(who=WHO, number=NUMBER, more=st.sampled_from([60, 3600, 7200, 90000]))
    def extend(self, who, number, more):
        box, path = self.one(number), "extend"
        self.same(
            lambda: self.world.call(who, "POST", f"/reservations/{self.ids[box]}/{path}", json={"seconds": more}),
            lambda: self.model.extend(who, box, more),
        )

    @rule(who=WHO, name=DISK, what=st.sampled_from(["create", "delete", "undelete", "snapshot", "restore"]))
    def change_disk(self, who, name, what):
        calls = {
            "create": ("POST", "/disks", {"json": {"name": name}}),
            "delete": ("DELETE", f"/disks/{name}", {}),
            "undelete": ("POST", f"/disks/{name}/undelete", {}),
            "snapshot": ("POST", f"/disks/{name}/snapshots", {}),
            "restore": ("POST", f"/disks/{name}/restore", {"json": {"snapshot": self.newest_snapshot(who, name)}}),
        }
        method, path, more = calls[what]
        self.same(lambda: self.world.call(who, method, path, **more), lambda: self.model.change_disk(who, name, what))

    def newest_snapshot(self, who, name):
        answer = self.world.call(who, "GET", f"/disks/{name}/snapshots")
        good = [] if isinstance(answer, str) else [one["id"] for one in answer["items"] if one["state"] == "completed"]
        return good[0] if good else "00000000"

    def work(self):
        self.world.settle()
        self.model.settle()
        self.seen.update(box.reason for box in self.model.boxes)
        self.seen["waits"] += any(box.told[1] for box in self.model.line())

    @rule(by=st.sampled_from([1, 60, 600, 3600, 7200]))
    def time_passes(self, by):
        if any(box.state == "preparing" for box in self.model.boxes):
            # Nobody looks away for hours from a box that is coming up.
            self.work()
        self.world.let_pass(by)
        self.world.let_in()
        self.model.now += by
        self.model.served += by

    @rule()
    def planner_runs(self):
        self.world.bench.plan()
        self.model.plan()

    @rule()
    def everybody_works(self):
        """Some seconds pass, as they do between two looks at a box."""
        self.time_passes(15)
        self.work()

    @rule(hours=st.integers(1, 3))
    def hours_go_by(self, hours):
        """Boxes whose time is up are told, and end a grace later."""
        for by in (3600 * hours, 150):
            self.time_passes(by)
            self.everybody_works()

    @precondition(lambda self: any(box.state == "active" for box in self.model.boxes))
    @rule(number=NUMBER)
    def a_box_dies(self, number):
        active = [box for box in self.model.boxes if box.state == "active"]
        box = active[number % len(active)]
        box.dead = True
        self.world.kill(self.ids[box])

    @rule(present=st.sampled_from([range(8), range(4), range(2, 8), range(0)]))
    def capacity_changes(self, present):
        self.world.change_gpus(present)
        self.model.wanted |= self.model.present["h100"] != list(present)
        self.model.present["h100"] = list(present)

    @invariant()
    def shows_what_is_expected(self):
        """Compare all that is shown; in the short run the half of it that changes least, every other time."""
        for who in ("kim", "lee"):
            assert self.listed(who) == [self.expected(box) for box in reversed(self.model.boxes) if box.owner == who]
        self.turn += 1
        if self.turn % 2 or PROFILE == "long":
            self.shows_disks()
        if not self.turn % 2 or PROFILE == "long":
            self.shows_line()

    def teardown(self):
        self.shows_disks()
        self.shows_line()

    def shows_disks(self):
        for who in ("kim", "lee"):
            disks = self.world.call(who, "GET", "/disks?deleted=true")["items"]
            shown = [(d["name"], d["deleted_at"] is not None, d["snapshots"], d["in_use_by"]) for d in disks]
            assert sorted(shown, key=repr) == sorted(map(self.expected_disk, self.disks_of(who)), key=repr)

    def shows_line(self):
        assert self.queue() == [(box.owner, box.kind, *box.told) for box in self.model.line() if box.told[0]]
        assert self.available() == self.expected_available()

    def listed(self, who):
        items = self.world.call(who, "GET", "/reservations?state=all&limit=200")["items"]
        return [
            (
                one["id"], one["name"], one["state"], one["end_reason"], one["granted_seconds"], one["disk"], one["position"],
                seconds(one["starts_at"]), seconds(one["started_at"]), seconds(one["expires_at"]),
            )
            for one in items
        ]  # fmt: skip

    def expected(self, box):
        told = box.told if box.state == "queued" else (None, None)
        disk = box.disk.name if box.disk else None
        return (self.ids[box], box.name, box.state, box.reason, box.granted, disk, *told, box.started, box.expires)

    def disks_of(self, who):
        return [disk for disk in self.model.disks if disk.owner == who]

    def expected_disk(self, disk):
        users = sorted(self.model.live(disk=disk), key=lambda box: box.seq)
        return disk.name, disk.deleted, len(disk.snapshots) - disk.asked, users[0].name if users else None

    def queue(self):
        entries = self.world.call("kim", "GET", "/queue")["entries"]
        return [(one["owner"], one["gpu_type"], one["position"], seconds(one["starts_at"])) for one in entries]

    def available(self):
        answer = self.world.call("lee", "GET", "/availability")
        uses = sorted((one["owner"], one["gpu_type"], one["gpus"], one["state"], one["mine"]) for one in answer["uses"])
        rows = [
            (row["gpu_type"], row["total"], row["free"], row["queued"], row["largest_now"]) for row in answer["rows"]
        ]
        return sorted(rows), uses

    def expected_available(self):
        model = self.model
        _, used = model.foresee()
        rows = []
        for kind, sizes in (("cpu", [1]), ("h100", [1, 2, 4, 8])):
            now = [n for n in sizes if model.earliest(used, Shape(kind, n), OFFERED, model.now) == model.now]
            queued = sum(box.kind == kind for box in model.line())
            rows.append((kind, len(model.present[kind]), len(model.free(kind)), queued, max(now, default=0)))
        uses = [(b.owner, b.kind, b.body["gpus"], b.state, b.owner == "lee") for b in model.boxes if b.held]
        return rows, sorted(uses)


class Shape:
    """A request that nobody made."""

    def __init__(self, kind, slots):
        self.kind, self.slots = kind, slots


def test_gpudev_shows_what_the_model_expects(world):
    Machine.world = world
    Machine.seen.clear()
    run_state_machine_as_test(Machine, settings=PROFILES[PROFILE])
    ways = {"cancelled", "expired", "failed", "waits", "conflict", "limit-reached", "not-found", "not-allowed"}
    assert ways <= set(Machine.seen)
