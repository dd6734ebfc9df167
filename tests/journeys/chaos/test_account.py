"""The account itself: each kind of loss is noticed, and a sound end has none."""

from __future__ import annotations

import attrs
import pytest

from tests.journeys.chaos import account
from tests.journeys.chaos.ledger import Ledger

BODY = {"gpu_type": "h100", "gpus": 2, "duration_seconds": 3600, "disk": None, "name": "g0"}
REQUEST = {"gpu_type": "h100", "gpus": 2, "duration": 3600, "disk": None, "name": "g0"}
SOUND = ("r1", "k1", REQUEST, "ended", 3600, True, "cancelled")


@attrs.define
class Tables:
    """Stands for the install: answers the account's questions with the given rows."""

    rows: list[tuple]
    active_after_cancel: list[tuple] = attrs.field(factory=list)

    def sql(self, statement):
        return self.rows if statement == account.ROWS else self.active_after_cancel


@pytest.fixture
def ledger(tmp_path):
    """One reservation that was acknowledged, extended and cancelled."""
    made = Ledger(tmp_path / "ledger")
    made.note("sent", key="k1", body=BODY)
    made.note("reserved", key="k1", body=BODY, id="r1")
    made.note("cancelled", id="r1")
    yield made
    made.close()


def changed(**fields):
    names = ("id", "key", "request", "state", "granted", "cancel", "reason")
    return tuple((dict(zip(names, SOUND, strict=True)) | fields).values())


def test_a_sound_end_has_no_loss(ledger):
    assert account.lost(Tables([SOUND]), ledger) == []


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (Tables([]), "r1 was acknowledged and is not there"),
        (Tables([changed(request=REQUEST | {"gpus": 1})]), "'gpus': 1"),
        (Tables([changed(key="k2")]), "with k2"),
        (Tables([SOUND, changed(id="r2")]), "the key k1 has 2 reservations"),
        (Tables([SOUND, changed(id="r2", key="k9")]), "nobody asked for r2"),
        (Tables([changed(state="stopping")]), "r1 is stopping still"),
        (Tables([changed(cancel=False, reason=None)]), "the cancel of r1 is lost"),
        (Tables([changed(granted=7200)]), "r1 was given 3600 s more"),
        (Tables([SOUND], [("r1",)]), "r1 became active after its cancel"),
    ],
)
def test_a_loss_is_noticed(ledger, tables, said):
    assert any(said in sentence for sentence in account.lost(tables, ledger))


def test_an_acknowledged_extension_that_is_not_there_is_noticed(ledger):
    ledger.note("extending", id="r1", seconds=60)
    ledger.note("extended", id="r1", seconds=60)
    assert account.lost(Tables([SOUND]), ledger) == ["r1 was given 0 s more; 60 acknowledged, 60 asked for"]


def test_an_extension_whose_answer_was_lost_may_be_there_or_not(ledger):
    ledger.note("extending", id="r1", seconds=60)
    assert account.lost(Tables([SOUND]), ledger) == []
    assert account.lost(Tables([changed(granted=3660)]), ledger) == []


def test_an_entry_is_in_the_file_when_it_is_noted(ledger, tmp_path):
    assert (tmp_path / "ledger").read_text().count('"id": "r1"') == len(
        ledger.entries("reserved") + ledger.entries("cancelled")
    )
