"""What the commands show and send."""

from __future__ import annotations

import datetime as dt
import json
import re

import msgspec
import pytest

from gpudev_cli.commands.avail import offer
from gpudev_sdk.errors import Conflict
from gpudev_sdk.wire import admin_views, views
from tests.unit.client.stub_api import NOW, reservation


def test_the_list_shows_state_gpus_disk_end_and_name(gpudev, stub):
    stub.rows = [reservation("work"), reservation("two", "queued", position=2, starts_at=NOW)]
    head, first, second = gpudev("list").out.splitlines()

    assert head.split() == ["STATE", "GPUS", "DISK", "UNTIL/ETA", "NAME"]
    assert first.split()[:5] == ["active", "2", "×", "h100", "work"]
    assert "place 2, starts about" in second


def test_a_text_of_the_server_cannot_steer_the_terminal(gpudev, stub):
    stub.rows = [reservation("work", disk="a\x1b[2Jb\r\nc\u202e")]

    assert "\x1b" not in gpudev("list").out
    assert "\u202e" not in gpudev("list").out


def test_availability_says_what_one_could_have_and_what_is_made_up(gpudev, stub):
    out = gpudev("avail").out

    assert "h100 (pretended)  4 of 8" in out
    assert re.search("4 × h100 now, 8 in 3[0-9] min", out)
    assert "lee" in out


JSON_READS = [("list",), ("avail",), ("show", "work"), ("whoami",), ("status",), ("disk", "list"), ("disk", "show", "work"),
              ("disk", "snapshots", "work"), ("key", "list"), ("admin", "users", "list"), ("config", "show"),
              ("plugins", "list"), ("admin", "doctor"), ("reserve", "h100", "4h", "--dry-run")]  # fmt: skip


@pytest.mark.parametrize("words", JSON_READS, ids=" ".join)
def test_every_read_can_be_json(gpudev, stub, words):
    stub.rows = [reservation("work")]
    disk = views.DiskView(id=stub.rows[0].id, name="work", size_bytes=1, created_at=NOW)
    stub.on("GET", "/disks/work", disk)
    stub.on("GET", "/disks/work/snapshots", views.SnapshotsView(items=[]))
    stub.on("GET", "/admin/users", admin_views.UsersView(items=[]))
    stub.on("GET", "/admin/doctor", admin_views.DoctorView(as_of=NOW, findings=[]))
    stub.on("POST", "/dry-run", views.DryRunView(starts_at=NOW, position=1))
    done = gpudev(*words, "--json")

    assert done.status == 0, done
    assert json.loads(done.out) is not None


def test_what_is_asked_for_is_what_is_sent(gpudev, stub, monkeypatch):
    monkeypatch.setenv("WANDB_KEY", "s3cret")
    done = gpudev("reserve", "H100:2", "1h30m", "--disk", "data", "-n", "box", "--no-wait", "--max-wait",
                  "30m", "-e", "WANDB_KEY", "-e", "A=b=c", "--agent", "--image", "debian:12", "--backend", "local")  # fmt: skip
    sent = json.loads(stub.asked("POST", "/reservations")[0][2])

    assert done.status == 0
    assert "s3cret" not in done.out + done.err
    assert {name: value for name, value in sent.items() if value is not None} == {
        "gpu_type": "h100", "gpus": 2, "duration_seconds": 5400, "disk": "data", "name": "box", "image": "debian:12",
        "backend": "local", "max_wait_seconds": 1800, "agent_forwarding": True,
        "env": {"WANDB_KEY": "s3cret", "A": "b=c"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "gpus", "disk"),
    [(["cpu", "4h"], 0, "home"), (["h100", "4h", "--no-disk"], 1, None), (["-t", "h100:3", "--hours", "2"], 3, "home")],
)
def test_what_is_not_said_has_its_default(gpudev, stub, words, gpus, disk):
    gpudev("reserve", *words, "--no-wait")
    sent = json.loads(stub.asked("POST", "/reservations")[0][2])

    assert (sent["gpus"], sent.get("disk")) == (gpus, disk)


def test_waiting_says_each_phase_once_and_then_how_to_get_in(gpudev, stub):
    row = reservation("home", "queued", position=1)
    waiting = [
        row,
        msgspec.structs.replace(row, position=2),
        msgspec.structs.replace(row, position=2, generation=2),
        msgspec.structs.replace(row, state="preparing", detail="pulling"),
        reservation("home", "active", id=row.id),
    ]
    stub.on("POST", "/reservations", row)
    stub.on("GET", f"/reservations/{row.id}/events", lambda body, headers: iter(waiting))
    stub.on("GET", "/reservations", views.ReservationPage(items=[waiting[-1]]))
    stub.on("GET", "/server", _server_with_real_keys(stub))
    done = gpudev("reserve", "h100", "4h")

    assert done.status == 0, done
    assert done.err.splitlines()[1:] == ["in line, place 1", "in line, place 2", "preparing: pulling", "ready"]
    first, connect, ssh = done.out.splitlines()
    assert first.startswith("home is ready until ")
    assert connect == "  gpudev connect home"
    assert ssh.startswith("  ssh -F ")
    assert ssh.endswith("/config/ssh/config home.gpudev")


LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINbaQArnB/ItuNby4kQM3ixeOnro/JosN/CBVcwwdV16"


def _server_with_real_keys(stub):
    server = stub.answers["GET", "/v1/server"]
    return msgspec.structs.replace(server, gateway=views.GatewayView(port=1, host=None, host_key=LINE, host_ca=LINE))


@pytest.mark.parametrize(
    ("reason", "fields", "status"),
    [
        ("failed", {"detail": "found no room in 30 min"}, 5),
        ("cancelled", {}, 1),
        ("failed", {"node": "here", "detail": "boom"}, 1),
    ],
)
def test_a_box_that_never_came_up_has_the_exit_code_of_its_reason(gpudev, stub, reason, fields, status):
    row = reservation("home", "queued")
    stub.on("POST", "/reservations", row)
    end = msgspec.structs.replace(row, state="ended", end_reason=reason, **fields)
    stub.on("GET", f"/reservations/{row.id}/events", lambda body, headers: iter([end]))
    done = gpudev("reserve", "h100", "4h")

    assert done.status == status
    assert fields.get("detail", "cancelled") in done.err


def test_a_busy_disk_names_its_holder(gpudev, stub):
    stub.on("POST", "/reservations", Conflict("the disk 'home' is in use by your reservation 'big'", hint="Use it."))
    done = gpudev("reserve", "h100", "4h")

    assert done.status == 1
    assert done.err == "gpudev: the disk 'home' is in use by your reservation 'big'\nUse it.\n"


def test_a_dry_run_says_when_and_what_would_be_sooner_and_reserves_nothing(gpudev, stub):
    plan = views.DryRunView(
        starts_at=None, position=3, waiting_for="8 GPUs", instead=[views.OfferView(gpus=4, starts_at=NOW)]
    )
    stub.on("POST", "/dry-run", plan)
    out = gpudev("reserve", "h100:8", "4h", "--dry-run").out

    assert out.splitlines()[0] == "8 × h100 has no start in sight: 8 GPUs."
    assert out.splitlines()[1].startswith("Sooner: 4 × h100")
    assert stub.asked("POST", "/reservations") == []


def test_cancelling_all_wants_a_yes_where_nobody_can_be_asked(gpudev, stub):
    stub.rows = [reservation("work")]

    assert gpudev("cancel", "--all").status == 2
    assert stub.rows[0].state == "active"
    assert gpudev("cancel", "--all", "--yes").status == 0
    assert stub.rows[0].state == "stopping"


def test_deleting_a_disk_wants_a_yes_where_nobody_can_be_asked(gpudev, stub):
    assert gpudev("disk", "delete", "work").status == 2
    assert stub.calls == []


def test_an_extension_is_for_the_only_reservation_when_none_is_named(gpudev, stub):
    stub.rows = [reservation("work")]
    stub.on("POST", f"/reservations/{stub.rows[0].id}/extend", stub.rows[0])

    assert gpudev("extend", "90m").status == 0
    assert json.loads(stub.calls[-1][2]) == {"seconds": 5400}
    stub.rows.append(reservation("two"))
    assert gpudev("extend", "90m").status == 2


def test_a_private_key_is_never_sent(gpudev, stub, room):
    (room / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n")
    done = gpudev("key", "add", room / "id")

    assert done.status == 2
    assert "never give that away" in done.err
    assert stub.calls == []


def test_a_file_that_is_not_there_is_named(gpudev, stub):
    done = gpudev("key", "add", "/nowhere/x.pub")

    assert done.status == 1
    assert "/nowhere/x.pub" in done.err


def test_a_server_needs_the_services(gpudev, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "gpudev_services" else real(name, *more)
    )
    for words in (["up"], ["down"], ["admin", "restore", "x"]):
        done = gpudev(*words)
        assert done.status == 1
        assert done.err.splitlines()[-1] == "Install it: pip install gpudev-services"


def test_a_command_in_no_box_exits_125(gpudev, stub):
    assert gpudev("exec", "nope", "--", "true").status == 125
    assert gpudev("exec", "nope").status == 125
    assert gpudev("connect").status == 125
    stub.rows = [reservation("work", "queued")]
    done = gpudev("connect", "work")
    assert done.status == 125
    assert "work is queued" in done.err


@pytest.mark.parametrize("words", [("a", "b"), ("work:a", "other:b"), ("./x:y", "/z")])
def test_a_copy_has_exactly_one_side_in_a_box(gpudev, stub, words):
    assert gpudev("cp", *words).status == 2


def test_doctor_exits_1_when_there_is_something(gpudev, stub):
    finding = admin_views.FindingView(law="I-1", what="two hold a slot", next_step="Look.")
    stub.on("GET", "/admin/doctor", admin_views.DoctorView(as_of=NOW, findings=[finding]))

    assert gpudev("admin", "doctor").status == 1


def test_adopting_is_a_second_step_with_what_was_seen(gpudev, stub):
    seen = admin_views.AdoptView(backend="local", paused="another's", differences=[], seen="d1")
    stub.on("GET", "/admin/adopt/local", seen)
    stub.on("POST", "/admin/adopt", msgspec.structs.replace(seen, paused=None, adopted=True))
    first = gpudev("admin", "adopt", "local")

    assert first.status == 1
    assert first.err.splitlines()[-1] == "Take it over: gpudev admin adopt local --seen d1"
    assert gpudev("admin", "adopt", "local", "--seen", "d1").status == 0


GANG = {"gpus": 8, "nodes": 3, "node": "n1", "node_names": ["n1", "n2", "n3"]}


def test_several_nodes_are_asked_for_by_their_number(gpudev, stub):
    gpudev("reserve", "h100:8", "4h", "--nodes", "2", "--no-wait")

    sent = json.loads(stub.asked("POST", "/reservations")[0][2])
    assert (sent["gpus"], sent["nodes"]) == (8, 2)


def test_show_names_all_nodes_and_how_the_others_are_reached(gpudev, stub):
    stub.rows = [reservation("work", backend="east", **GANG)]
    out = gpudev("show", "work").out

    assert "3 nodes with 8 × h100" in out
    assert "east / n1, n2, n3" in out
    assert "from inside: ssh work-1 to ssh work-2" in out
    assert "on the first node" in out


def test_the_list_says_how_many_nodes(gpudev, stub):
    stub.rows = [reservation("work", **GANG)]

    assert "3 nodes with 8 × h100" in gpudev("list").out


def test_a_dry_run_names_the_nodes_and_what_would_be_sooner(gpudev, stub):
    sooner = views.OfferView(gpus=8, nodes=2, starts_at=NOW)
    stub.on("POST", "/dry-run", views.DryRunView(starts_at=NOW, position=1, node_names=["a", "b"], instead=[sooner]))
    out = gpudev("reserve", "h100:8", "4h", "--nodes", "3", "--dry-run").out

    assert "3 nodes with 8 × h100 would start" in out
    assert "on a, b" in out
    assert "Sooner: 2 nodes with 8 × h100" in out


@pytest.mark.parametrize(
    ("now", "said"), [(2, "8 × h100 now, 2 whole nodes now, 4 in"), (0, "8 × h100 now, 4 whole nodes in")]
)
def test_availability_tells_whole_nodes(now, said):
    later = NOW.astimezone(dt.UTC) + dt.timedelta(days=9000)
    offers = [views.OfferView(gpus=8, starts_at=NOW), views.OfferView(gpus=8, nodes=4, starts_at=later)]
    row = views.AvailabilityRow(
        gpu_type="h100", backend="east", total=64, free=16, largest_now=8, per_node=8, queued=0, most_nodes=4,
        nodes_now=now, offers=offers,
    )  # fmt: skip

    assert offer(row).startswith(said)


def test_a_disk_says_where_it_lies_and_what_it_takes_to_use_it_elsewhere(gpudev, stub):
    stub.rows = [reservation("work")]
    moves = [views.MoveView(to="another zone of east", by="snapshot", how="gpudev disk move work: so\x1b[31m")]
    disk = views.DiskView(
        id=stub.rows[0].id, name="work", size_bytes=1, created_at=NOW, backend="east", zone="east-a", moves=moves
    )
    stub.on("GET", "/disks/work", disk)
    stub.on("POST", "/disks/work/move", msgspec.structs.replace(disk, leaving=True))

    shown, moved = gpudev("disk", "show", "work"), gpudev("disk", "move", "work")

    assert "east, in east-a" in shown.out
    assert "To use it in another zone of east: gpudev disk move work" in shown.err
    assert "\x1b" not in shown.err
    assert moved.out == "work leaves its zone: its next box, anywhere in east, starts from its newest snapshot.\n"
