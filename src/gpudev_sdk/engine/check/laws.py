"""The table of laws, and `check`, which holds a state against them. Pure: no clock, no database, no cloud."""

from __future__ import annotations

import datetime as dt
from collections.abc import Set

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.engine.check import counts, disks, ends, life, order, orphans, people, privacy, slots
from gpudev_sdk.engine.check.tables import Tables
from gpudev_sdk.engine.check.values import Look, Violation, case_of
from gpudev_sdk.engine.check.world import World

LAWS: dict[str, Look] = {
    "I-1": slots.no_slot_has_two_holders,
    "I-2": people.nothing_accepted_is_lost,
    "I-3": life.no_state_lasts,
    "I-4": life.history_is_whole,
    "I-5": disks.one_writer,
    "I-6": disks.nothing_unsaved_is_deleted,
    "I-7": disks.everybody_starts_with_their_content,
    "I-8": orphans.nothing_is_orphaned,
    "I-9": people.nobody_acts_on_anothers,
    "I-10": order.nobody_is_passed,
    "I-11": people.nobody_is_over_the_limits,
    "I-12": ends.nobody_is_ended_early,
    "I-13": ends.warnings_come_once,
    "I-14": ends.time_is_what_was_granted,
    "I-16": privacy.secrets_stay_secret,
    "I-17": counts.answers_follow_the_rows,
    "I-18": life.cancel_is_honoured,
    "I-18b": life.cancel_takes_two_minutes,
    "I-19": slots.all_slots_or_none,
    "I-21": slots.volumes_have_places,
}
#: Laws that no state can show to be broken, and where they are held.
ELSEWHERE = {
    "I-15": "a stale write changes nothing, so no state shows it; misses are counted, and damage would break another law",
    "I-20": "two versions at once keep the other laws, so the check runs while both are up",
}
#: Must hold once nothing stands in the way, each within its bound; all others hold at every moment.
LIVENESS = frozenset({"I-3", "I-8", "I-18b"})
SAFETY = frozenset(LAWS) - LIVENESS


def check(
    tables: Tables,
    world: World,
    now: dt.datetime,
    limits: Limits,
    *,
    only: Set[str] | None = None,
    settled: bool = False,
) -> list[Violation]:
    """Return every violation of the laws, or of `only` these.

    `settled` says that nothing has stood in the way for longer than every bound: then what is half done is one too.
    """
    case = case_of(tables, world, now, limits, settled=settled)
    return [found for law, look in LAWS.items() if only is None or law in only for found in look(case)]
