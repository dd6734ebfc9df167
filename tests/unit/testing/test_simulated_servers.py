"""Servers of the simulated cloud: what befalls them, and what compute says of it."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.server import Phase, Presence, Sighting
from gpudev_sdk.errors import Conflict, NoCapacity, Unworkable
from gpudev_sdk.testing.cloud import Span, Weather
from tests.unit.testing.sky import Place, server_id, server_spec

HOUR = 3600


def phases(place, spec):
    seen = place.compute.observe(spec.server_id)
    return seen.presence, seen.phase


def test_a_server_boots_as_long_as_the_weather_says():
    place = Place.under(boot=Span.seconds(20, 20))
    spec = place.box()

    place.pass_by(19)
    assert phases(place, spec) == (Presence.PRESENT, Phase.STARTING)
    assert place.compute.observe(spec.server_id).endpoint is None

    place.pass_by(1)
    assert phases(place, spec) == (Presence.PRESENT, Phase.READY)


def test_a_server_may_die_while_it_boots():
    place = Place.under(boot=Span.seconds(20, 20), dies_booting=1.0)
    spec = place.box()

    place.pass_by(20)

    assert place.compute.observe(spec.server_id).phase is Phase.FINISHED
    assert "booting" in place.compute.observe(spec.server_id).reason
    assert place.cloud.faults["dies_booting"] == 1


@pytest.mark.parametrize(("kind", "reason"), [("dies_per_hour", "killed"), ("evicted_per_hour", "evicted")])
def test_a_running_server_dies_by_and_by(kind, reason):
    place = Place.under(**{kind: 60.0})
    spec = place.box()
    assert place.compute.observe(spec.server_id).phase is Phase.READY

    place.pass_by(HOUR)

    seen = place.compute.observe(spec.server_id)
    assert seen.phase is Phase.FINISHED
    assert reason in seen.reason
    assert place.cloud.faults[kind] == 1


def test_fates_that_were_drawn_do_not_come_when_it_clears_up():
    place = Place.under(dies_per_hour=60.0, evicted_per_hour=60.0)
    spec = place.box()
    place.cloud.clear_up()

    place.pass_by(HOUR)

    assert place.compute.observe(spec.server_id).phase is Phase.READY


@pytest.mark.parametrize("end", ["kill_server", "evict"])
def test_what_ended_by_itself_is_present_and_writes_no_more(end):
    place = Place.under()
    spec = place.on(place.volume())
    getattr(place.cloud, end)(spec.server_id)

    assert phases(place, spec) == (Presence.PRESENT, Phase.FINISHED)
    with pytest.raises(Conflict):
        place.cloud.write(spec.server_id, "late")


def test_a_server_that_is_stopping_still_writes():
    place = Place.under(stop=Span.seconds(30, 30))
    volume = place.volume()
    spec = place.on(volume)
    place.compute.terminate(spec.server_id)

    place.pass_by(29)
    place.cloud.write(spec.server_id, "at the last moment")
    place.pass_by(1)

    assert place.compute.observe(spec.server_id).presence is Presence.ABSENT
    assert place.content(volume) == ("at the last moment",)


@pytest.mark.parametrize("again", [0, 3600])
def test_terminating_again_makes_it_neither_shorter_nor_longer(again):
    place = Place.under(stop=Span.seconds(30, 30))
    spec = place.box()
    place.compute.terminate(spec.server_id)
    place.cloud.weather = Weather(stop=Span.seconds(again, again))
    place.compute.terminate(spec.server_id)

    place.pass_by(29)
    assert place.compute.observe(spec.server_id).presence is Presence.PRESENT
    place.pass_by(1)
    assert place.compute.observe(spec.server_id).presence is Presence.ABSENT


def test_a_tombstone_keeps_a_late_launch_away_for_an_hour():
    place = Place.under()
    spec = server_spec()
    place.compute.terminate(spec.server_id)

    place.pass_by(HOUR - 1)
    place.compute.launch(spec)
    assert place.cloud.servers() == ()

    place.pass_by(2)
    place.compute.launch(spec)
    assert [server.server_id for server in place.cloud.servers()] == [spec.server_id]


def test_what_was_once_launched_is_never_launched_again():
    place = Place.under()
    spec = place.box()
    place.compute.terminate(spec.server_id)
    place.pass_by(2 * HOUR)

    place.compute.launch(spec)

    assert place.cloud.servers() == ()


def test_there_may_be_no_capacity_although_there_is_room():
    place = Place.under(no_capacity=1.0)

    with pytest.raises(NoCapacity):
        place.box()
    assert place.cloud.servers() == ()


def test_nothing_starts_on_a_cordoned_node_and_what_runs_there_runs_on():
    place = Place.under()
    spec = place.box(1)
    place.cloud.cordon("node-a", "maintenance")

    with pytest.raises(NoCapacity, match="maintenance"):
        place.box(2)
    assert phases(place, spec) == (Presence.PRESENT, Phase.READY)

    place.cloud.restore_node("node-a")
    place.box(2)


def test_capacity_that_vanishes_takes_what_runs_on_it():
    place = Place.under()
    kept, lost = place.box(1), place.box(6)
    place.cloud.shrink("node-a", "h100", 3)

    slots = {node.name: sum(slot.gpu_type == "h100" for slot in node.slots) for node in place.compute.nodes()}
    assert slots == {"node-a": 5, "node-b": 8}
    assert phases(place, kept) == (Presence.PRESENT, Phase.READY)
    assert place.compute.observe(lost.server_id).phase is Phase.FINISHED
    with pytest.raises(NoCapacity):
        place.box(7)


def test_a_lost_node_is_unknown_before_it_is_gone_and_its_volume_is_let_go_later():
    place = Place.under(loss_noticed=Span.seconds(60, 60), detach=Span.seconds(30, 30))
    volume = place.volume()
    spec = place.on(volume)
    place.cloud.lose_node("node-a")

    place.pass_by(59)
    assert place.compute.observe(spec.server_id).presence is Presence.UNKNOWN
    assert place.compute.list_servers() == (spec.server_id,)
    with pytest.raises(Conflict):
        place.cloud.write(spec.server_id, "from a dead box")

    place.pass_by(1)
    assert place.compute.observe(spec.server_id) == Sighting.absent("not there")
    assert place.storage.get_volume(volume).attachments == (str(spec.server_id),)

    place.pass_by(30)
    assert place.storage.get_volume(volume).attachments == ()


def test_that_a_server_of_a_lost_node_stopped_is_known_only_when_the_loss_is():
    place = Place.under(loss_noticed=Span.seconds(60, 60), stop=Span.seconds(5, 5))
    spec = place.box()
    place.compute.terminate(spec.server_id)
    place.cloud.lose_node("node-a")

    place.pass_by(59)
    assert place.compute.observe(spec.server_id).presence is Presence.UNKNOWN
    place.pass_by(1)
    assert place.compute.observe(spec.server_id).presence is Presence.ABSENT


def test_after_a_restart_of_the_node_the_same_attempt_may_be_launched_again():
    place = Place.under()
    volume = place.volume()
    spec = place.on(volume)
    place.cloud.write(spec.server_id, "before")
    place.cloud.reboot_node("node-a")

    assert place.compute.observe(spec.server_id) == Sighting.absent("its node restarted", rebooted=True)

    place.compute.launch(spec)
    assert phases(place, spec) == (Presence.PRESENT, Phase.READY)
    assert [seen.content for seen in place.cloud.mounts] == [(), ("before",)]


def test_what_was_terminated_does_not_come_back_after_a_restart():
    place = Place.under(stop=Span.seconds(30, 30))
    spec = place.box()
    place.compute.terminate(spec.server_id)
    place.cloud.reboot_node("node-a")

    place.compute.launch(spec)

    assert place.compute.observe(spec.server_id) == Sighting.absent("not there")


def test_what_is_terminated_after_a_restart_may_not_be_launched_again():
    place = Place.under()
    spec = place.box()
    place.cloud.reboot_node("node-a")
    place.compute.terminate(spec.server_id)

    place.compute.launch(spec)

    assert place.compute.observe(spec.server_id) == Sighting.absent("not there")


def test_a_restart_while_it_boots_does_not_make_the_next_one_boot_sooner():
    place = Place.under(boot=Span.seconds(20, 20))
    spec = place.box()
    place.pass_by(15)
    place.cloud.reboot_node("node-a")
    place.compute.launch(spec)

    place.pass_by(10)
    assert place.compute.observe(spec.server_id).phase is Phase.STARTING
    place.pass_by(10)
    assert place.compute.observe(spec.server_id).phase is Phase.READY


def test_a_second_server_with_an_attached_volume_waits_and_is_recorded():
    place = Place.under(detach=Span.seconds(10, 10))
    volume = place.volume()
    first = place.on(volume, 1)
    second = place.on(volume, 2)

    assert place.compute.observe(second.server_id).phase is Phase.STARTING
    assert str(first.server_id) in place.compute.observe(second.server_id).reason
    assert [(d.server_id, d.holder) for d in place.cloud.double_attachments] == [(second.server_id, first.server_id)]

    place.cloud.write(first.server_id, "the first one's")
    place.compute.terminate(first.server_id)
    place.pass_by(10)

    assert place.compute.observe(second.server_id).phase is Phase.READY
    assert place.cloud.mounts[-1].content == ("the first one's",)
    assert len(place.cloud.double_attachments) == 1


def test_a_second_server_on_the_same_slots_is_refused_and_recorded():
    place = Place.under()
    first = place.box(1)

    with pytest.raises(NoCapacity):
        place.box(2, slots=(0, 1))

    assert [(o.server_id, o.holder, o.slots) for o in place.cloud.overbookings] == [
        (server_id(2), first.server_id, (0, 1))
    ]


def test_a_disk_of_another_zone_is_refused():
    place = Place.under()

    with pytest.raises(Unworkable, match="zone"):
        place.on(place.volume(), node="node-b")
    assert place.cloud.servers() == ()


def test_a_server_whose_volume_is_not_there_waits_for_ever():
    place = Place.under()
    volume = place.volume()
    mount = place.storage.mount(volume)
    place.storage.delete_volume(volume)
    spec = place.box(mount=mount)

    place.pass_by(HOUR)

    assert place.compute.observe(spec.server_id).phase is Phase.STARTING
    assert place.cloud.mounts == []


def test_no_secret_of_a_spec_is_kept_where_a_checker_shows_it():
    place = Place.under()
    place.box(env={"WANDB_API_KEY": "canary"}, files={"host_key": b"canary"})
    (server,) = place.cloud.servers()

    assert "canary" not in repr(server)
    assert "canary" not in str(attrs.asdict(server.spec))


def test_boots_with_a_throw_away_home_write_nowhere():
    place = Place.under()
    spec = place.box()

    with pytest.raises(Conflict):
        place.cloud.write(spec.server_id, "anything")
    assert attrs.asdict(place.cloud.servers()[0])["volume_id"] is None


def test_what_has_ended_takes_no_slots():
    place = Place.under()
    first = place.box(1)
    place.cloud.kill_server(first.server_id)
    second = place.box(2, slots=(1,))

    assert phases(place, second) == (Presence.PRESENT, Phase.READY)
    assert place.cloud.overbookings == []


def test_what_had_ended_before_a_restart_is_not_launched_again():
    place = Place.under()
    spec = place.box()
    place.cloud.kill_server(spec.server_id)
    place.cloud.reboot_node("node-a")

    place.compute.launch(spec)

    assert place.compute.observe(spec.server_id) == Sighting.absent("not there")
