"""The gate of all calls: what the weather does to them, what a scheduler is told, and that a seed tells all."""

from __future__ import annotations

import datetime as dt
import random
import uuid

import attrs
import pytest

from gpudev_sdk import fault
from gpudev_sdk.domain.disk import VolumeRef
from gpudev_sdk.domain.server import Claim, Presence, ServerId
from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.errors import Conflict, NotSignedIn, ProviderError, TryLater
from gpudev_sdk.testing.cloud import SimulatedIdentity, SimulatedSettings, Span, VirtualClock, Weather
from tests.unit.testing.sky import CONTEXT, START, Place, seconds, server_spec, snapshot_spec, volume_spec

VOLUME = VolumeRef(volume_id=volume_spec().volume_id, disk_id=volume_spec().disk_id)


def clear(place):
    place.cloud.weather = Weather.calm()


def test_a_lost_answer_is_a_success_that_the_same_call_finds_again():
    place = Place.under(lost_answer=1.0)
    for ask in (
        lambda: place.storage.create_volume(volume_spec()),
        lambda: place.storage.create_snapshot(snapshot_spec(VOLUME)),
        lambda: place.compute.launch(server_spec()),
    ):
        with pytest.raises(TryLater):
            ask()
    before = place.cloud.volumes(), place.cloud.snapshots(), place.cloud.servers()
    assert [len(things) for things in before] == [1, 1, 1]
    clear(place)

    assert place.storage.create_volume(volume_spec()) == before[0][0].handle
    assert place.storage.create_snapshot(snapshot_spec(VOLUME)) == before[1][0].handle
    place.compute.launch(server_spec())

    assert (place.cloud.volumes(), place.cloud.snapshots(), place.cloud.servers()) == before


@pytest.mark.parametrize("weather", [{"throttled": 1.0}, {"failed_call": 1.0}])
def test_a_call_that_fails_has_no_effect(weather):
    place = Place.under(**weather)

    for _ in range(20):
        with pytest.raises(ProviderError):
            place.storage.create_volume(volume_spec())

    assert place.cloud.volumes() == ()
    assert place.cloud.faults[next(iter(weather))] == 20


def test_a_call_fails_now_this_way_and_now_that():
    place = Place.under(failed_call=1.0)
    kinds = set()
    for _ in range(20):
        with pytest.raises(ProviderError) as raised:
            place.compute.nodes()
        kinds.add(type(raised.value))

    assert kinds == {TryLater, ProviderError}


def test_a_bucket_gives_so_many_calls_a_second():
    place = Place.under(calls_per_second=5.0)

    def answered():
        count = 0
        for _ in range(100):
            try:
                place.compute.nodes()
            except TryLater:
                continue
            count += 1
        return count

    assert answered() == 20
    place.pass_by(1)
    assert answered() == 5
    place.pass_by(3600)
    assert answered() == 20


@pytest.mark.parametrize("ask", ["list_servers", "list_volumes", "list_snapshots"])
def test_a_list_that_broke_off_is_no_answer(ask):
    place = Place.under(partial_list=1.0)
    place.box()
    provider = place.compute if ask == "list_servers" else place.storage

    with pytest.raises(TryLater):
        getattr(provider, ask)()


def test_in_a_blackout_nothing_answers_and_nothing_happens():
    place = Place.under()
    box = place.box()
    place.cloud.blackout(seconds(30))

    place.pass_by(29)
    for ask in (place.compute.nodes, lambda: place.compute.terminate(box.server_id), place.storage.list_volumes):
        with pytest.raises(TryLater):
            ask()
    place.pass_by(1)

    assert place.compute.observe(box.server_id).presence is Presence.PRESENT


def test_blind_is_unknown_and_never_absent():
    place = Place.under()
    box = place.box()
    place.cloud.blind(seconds(30))

    assert place.compute.observe(box.server_id).presence is Presence.UNKNOWN
    assert place.compute.observe(ServerId(uuid.UUID(int=5), 1)).presence is Presence.UNKNOWN
    place.pass_by(30)
    assert place.compute.observe(box.server_id).presence is Presence.PRESENT


def test_the_hook_is_told_before_and_after_each_effect_reads_too():
    place, told = Place.under(), []
    place.cloud.on_call = lambda name, when: told.append((name, when, len(place.cloud.volumes())))
    place.storage.create_volume(volume_spec())
    place.storage.get_volume(VOLUME)

    assert told == [
        ("storage.create_volume", "before", 0),
        ("storage.create_volume", "after", 1),
        ("storage.get_volume", "before", 1),
        ("storage.get_volume", "after", 1),
    ]
    assert place.cloud.calls == {"storage.create_volume": 1, "storage.get_volume": 1}


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_crash_in_the_hook_leaves_undone_or_done(when, made):
    place = Place.under()

    def crash(name, now):
        if now == when:
            raise fault.SimulatedCrash

    place.cloud.on_call = crash
    with pytest.raises(fault.SimulatedCrash):
        place.storage.create_volume(volume_spec())

    assert len(place.cloud.volumes()) == made


def test_time_that_passes_in_the_hook_has_passed_at_the_effect():
    place = Place.under(stop=Span.seconds(10, 10))
    box = place.box()
    place.compute.terminate(box.server_id)
    place.cloud.on_call = lambda name, when: place.cloud.clock.advance(seconds(10) if when == "before" else seconds(0))

    assert place.compute.observe(box.server_id).presence is Presence.ABSENT


def story(seed):
    """Return all that a long stormy story tells."""
    rng = random.Random(seed)
    place = Place.under(seed)
    place.cloud.weather = Weather.stormy(rng)
    told = []
    asks = (
        lambda n: place.storage.create_volume(volume_spec(n)),
        lambda n: place.storage.get_volume(VOLUME),
        lambda n: place.box(n),
        lambda n: place.compute.observe(server_spec(n).server_id),
        lambda n: place.compute.terminate(server_spec(n).server_id),
        lambda n: place.storage.create_snapshot(snapshot_spec(VOLUME, n)),
        lambda n: place.storage.list_snapshots(),
        lambda n: place.compute.list_servers(),
        lambda n: place.cloud.lose_node("node-b"),
        lambda n: place.cloud.reboot_node("node-a"),
    )
    for _ in range(400):
        try:
            told.append(repr(rng.choice(asks)(rng.randrange(5))))
        except (ProviderError, Conflict) as error:
            told.append(f"{type(error).__name__}: {error.message}")
        place.pass_by(rng.random() * 10)
    return [*told, repr(place.cloud.servers()), repr(place.cloud.snapshots()), repr(sorted(place.cloud.faults.items()))]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_and_the_same_calls_give_the_same_answers(seed):
    assert story(seed) == story(seed)


def test_another_seed_tells_another_story():
    assert len({tuple(story(seed)) for seed in range(5)}) == 5


def test_storms_differ_and_every_misbehaviour_comes_up():
    storms = [Weather.stormy(random.Random(seed)) for seed in range(40)]

    for name in ("throttled", "lost_answer", "failed_call", "no_capacity", "snapshot_error", "partial_list"):
        chances = {getattr(storm, name) for storm in storms}
        assert 0.0 in chances
        assert len(chances) > 10


def test_a_claim_is_one_for_all_processes_and_taken_once():
    place = Place.under()
    first, second = (Claim(install_id=CONTEXT.install_id, control_plane_id=uuid.UUID(int=n), epoch=1) for n in (1, 2))
    place.compute.write_claim(first, None)

    with pytest.raises(Conflict):
        place.another_process().compute.write_claim(second, None)
    assert place.another_process().compute.read_claim() == first


def test_a_login_waits_while_nothing_answers_and_lets_no_stranger_in():
    place = Place.under()
    place.cloud.people["ada"] = "word"
    identity = SimulatedIdentity(SimulatedSettings(cloud=place.cloud), CONTEXT)
    stranger = SimulatedIdentity(SimulatedSettings(cloud=place.cloud, person="eve"), CONTEXT)
    challenge = Challenge(nonce="n", expires_at=START, audience="https://here")
    credentials = identity.get_caller_identity(challenge)
    assert identity.verify_credentials(credentials, challenge).subject == "person:ada"

    with pytest.raises(NotSignedIn):
        stranger.get_caller_identity(challenge)
    place.cloud.blackout(seconds(5))
    with pytest.raises(TryLater):
        identity.verify_credentials(credentials, challenge)


def test_the_clock_stands_still_and_never_goes_back():
    clock = VirtualClock(START)
    clock.advance(seconds(2.5))

    assert (clock.now - START, clock.monotonic()) == (seconds(2.5), 2.5)
    with pytest.raises(ValueError, match="back"):
        clock.advance(seconds(-1))
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(START.replace(tzinfo=None))


def test_a_span_from_long_to_short_is_refused():
    with pytest.raises(ValueError, match="longer"):
        Span(dt.timedelta(seconds=2), dt.timedelta(seconds=1))


def test_a_change_may_come_when_nobody_waits_for_it_any_more():
    place = Place.under(late_effect=1.0, late=Span.seconds(30, 30))
    with pytest.raises(TryLater):
        place.storage.create_volume(volume_spec())
    clear(place)

    place.pass_by(29)
    assert place.storage.get_volume(VOLUME).presence == "absent"
    place.pass_by(1)
    assert place.storage.get_volume(VOLUME).presence == "present"


def test_a_launch_that_comes_late_meets_the_tombstone():
    place = Place.under(late_effect=1.0, late=Span.seconds(30, 30))
    with pytest.raises(TryLater):
        place.box()
    clear(place)
    place.compute.terminate(server_spec().server_id)

    place.pass_by(30)

    assert place.cloud.servers() == ()


def test_what_goes_wrong_with_a_late_change_is_told_to_nobody():
    place = Place.under()
    volume = place.volume()
    place.cloud.weather = Weather(late_effect=1.0, late=Span.seconds(30, 30))
    with pytest.raises(TryLater):
        place.storage.delete_volume(volume)
    clear(place)
    place.on(volume)

    place.pass_by(30)

    assert place.cloud.deletions == []
    assert len(place.cloud.volumes()) == 1


def test_reads_are_never_late():
    place = Place.under(late_effect=1.0, late=Span.seconds(30, 30))

    assert place.compute.list_servers() == ()
    assert place.compute.read_claim() is None
    assert place.cloud.faults["late_effect"] == 0


def test_credentials_with_more_than_they_should_have_are_refused():
    place = Place.under()
    place.cloud.people["ada"] = "word"
    identity = SimulatedIdentity(SimulatedSettings(cloud=place.cloud), CONTEXT)
    challenge = Challenge(nonce="n", expires_at=START, audience="https://here")
    credentials = identity.get_caller_identity(challenge)

    with pytest.raises(NotSignedIn):
        identity.verify_credentials(attrs.evolve(credentials, fields=credentials.fields | {"admin": "1"}), challenge)
