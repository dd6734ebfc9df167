"""The cards of an install and the pods that work for them: begun, looked at, noted, begun again. Nothing here waits."""

from __future__ import annotations

import datetime as dt
import enum
import uuid

import attrs

from gpudev_kind import cards, helpers
from gpudev_kind.cards import Card, State
from gpudev_kind.helpers import Outcome
from gpudev_kind.settings import KindSettings
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectAbsent, ObjectChanged, ObjectExists
from gpudev_sdk.kube.kinds import CONFIG_MAP, POD, Json


class Stage(enum.Enum):
    """What a card and its pod say together."""

    GONE = enum.auto()
    #: Its pod was killed, or never came to be: as good as never begun.
    DEAD = enum.auto()
    #: Its pod said why it cannot be made.
    FAILED = enum.auto()
    MAKING = enum.auto()
    MADE = enum.auto()
    REMOVING = enum.auto()


@attrs.frozen(kw_only=True)
class Look:
    """What one look at a card saw."""

    stage: Stage
    card: Card
    reason: str = ""


class Shelf:
    """All cards of one install. `api` looks at the namespace of the short pods."""

    def __init__(self, api: Api, settings: KindSettings, install: uuid.UUID) -> None:
        self._api, self._settings, self._install = api, settings, install
        self._has_namespace = False

    def find(self, name: str) -> Card | None:
        """Return a card of ours."""
        found = self._api.find(CONFIG_MAP, name)
        return cards.read(found) if found is not None and names.is_ours(found, self._install) else None

    def write(self, body: Json) -> Card:
        """Write a new card down, or find the one that is there."""
        self._ensure_namespace()
        try:
            made = cards.read(self._api.create(CONFIG_MAP, body))
        except ObjectExists:
            made = self.find(body["metadata"]["name"])
        if made is None:
            raise TryLater(f"{body['metadata']['name']} is being removed, or is not ours", delay=1.0)
        return made

    def begin(self, card: Card, source: Card | None = None) -> None:
        """Start the pod of a card, in the place of one that is over; one that works is left to it."""
        name = helpers.pod_name(card)
        before = self._api.find(POD, name)
        if before is not None:
            outcome = helpers.end_of(before, _now()).outcome
            if outcome not in (Outcome.DIED, Outcome.FAILED):
                return
            self._api.delete(POD, name, uid=before["metadata"]["uid"])
        try:
            self._api.create(POD, helpers.pod(card, source, self._install, self._settings))
        except ObjectExists:
            return

    def look(self, card: Card) -> Look:
        """Say how far a card is, and note what its pod came to."""
        if card.state is State.MADE:
            return Look(stage=Stage.MADE, card=card)
        return self._judge(card, self._api.find(POD, helpers.pod_name(card)))

    def look_at_all(self, label: str) -> list[Look]:
        """Say how far all volumes, or all snapshots, are."""
        found = self._api.list(CONFIG_MAP, cards.selector(self._install, label)).items
        pods = self._api.list(POD, names.selector(self._install, helpers.PARTS[label])).items if found else []
        by_name = {pod["metadata"]["name"]: pod for pod in pods}
        known = [card for item in found if (card := cards.read(item)) is not None]
        return [
            Look(stage=Stage.MADE, card=card)
            if card.state is State.MADE
            else self._judge(card, by_name.get(helpers.pod_name(card)))
            for card in known
        ]

    def give_up(self, card: Card) -> Card:
        """Write down that a card's folder is to go."""
        return card if card.state is State.REMOVING else self._note(card, {cards.STATE: State.REMOVING.value})

    def _judge(self, card: Card, pod: Json | None) -> Look:
        end = None if pod is None else helpers.end_of(pod, _now())
        if card.state is State.REMOVING:
            return self._judge_removal(card, end)
        if end is None:
            return self._look_twice(card)
        if end.outcome is not Outcome.DONE:
            return Look(stage=_STAGES[end.outcome], card=card, reason=end.message)
        size = int(end.message) * 1024 if end.message.isdecimal() else 0
        ended_at = (end.at or _now()).isoformat()
        try:
            made = self._note(card, {cards.STATE: State.MADE.value, cards.SIZE: str(size), cards.ENDED: ended_at})
        except (ObjectChanged, ObjectAbsent):
            return self._look_again(card)
        # Only now: until it is written down, the pod alone knows.
        self._api.delete(POD, helpers.pod_name(card))
        return Look(stage=Stage.MADE, card=made)

    def _judge_removal(self, card: Card, end: helpers.End | None) -> Look:
        if end is not None and end.outcome is Outcome.DONE:
            self._api.delete(CONFIG_MAP, card.name, uid=card.item["metadata"]["uid"])
            return Look(stage=Stage.GONE, card=card)
        if end is None or end.outcome is Outcome.DIED:
            fresh = self.find(card.name)
            if fresh is None:
                return Look(stage=Stage.GONE, card=card)
            self.begin(fresh)
        reason = "it is being removed" + (f": {end.message}" if end is not None and end.message else "")
        return Look(stage=Stage.REMOVING, card=card, reason=reason)

    def _look_twice(self, card: Card) -> Look:
        """Without a pod, a card is either as good as never begun, or was noted by somebody else just now."""
        fresh = self.find(card.name)
        if fresh is None:
            return Look(stage=Stage.GONE, card=card)
        if fresh.item["metadata"]["resourceVersion"] == card.item["metadata"]["resourceVersion"]:
            return Look(stage=Stage.DEAD, card=card, reason="its making was cut short")
        return self.look(fresh)

    def _look_again(self, card: Card) -> Look:
        fresh = self.find(card.name)
        return Look(stage=Stage.GONE, card=card) if fresh is None else self.look(fresh)

    def _note(self, card: Card, notes: dict[str, str]) -> Card:
        """Write onto a card; raise ObjectChanged if somebody else did meanwhile."""
        metadata = card.item["metadata"]
        version = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        item = self._api.merge(CONFIG_MAP, card.name, {"metadata": {**version, "annotations": notes}})
        noted = cards.read(item)
        assert noted is not None  # it was readable before, and only notes were added
        return noted

    def _ensure_namespace(self) -> None:
        if not self._has_namespace:
            helpers.ensure_namespace(self._api, {})
            self._has_namespace = True


_STAGES = {Outcome.WORKING: Stage.MAKING, Outcome.FAILED: Stage.FAILED, Outcome.DIED: Stage.DEAD}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
