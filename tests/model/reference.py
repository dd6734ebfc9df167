"""What people may expect of gpudev, in lists and dictionaries: some people, one node, time in seconds since the beginning.

Slow and simple: every moment at which something ends is tried. What stops ends at once. A refusal is told by its code.
"""

from __future__ import annotations

import types

NEVER = float("inf")
GRACE, STOP, MAX_WAIT, OFFERED = 120, 60, 48 * 3600, 3600
LONGEST, IN_ALL, EXTENSION = {"h100": 5 * 3600, "cpu": 720 * 3600}, 6 * 3600, 24 * 3600
BOXES, GPUS, DISKS, SNAPSHOTS = 4, 12, 2, 3


class Refused(Exception):
    """The code of a refusal."""


def refuse_if(wrong, code):
    if wrong:
        raise Refused(code)


class Thing(types.SimpleNamespace):
    __eq__, __hash__ = object.__eq__, object.__hash__


class Disk(Thing):
    """`snapshots` are newest first, with the one only `asked` for; a volume was made, or will be, from `source` and `sources`."""


class Box(Thing):
    """`held` are its slots, `told` its position and start in the last plan that it was in."""

    kind = property(lambda self: self.body["gpu_type"])
    slots = property(lambda self: self.body["gpus"] or 1)
    lasts = property(lambda self: self.granted + GRACE + STOP)
    expires = property(lambda self: None if self.started is None else self.started + self.granted)
    things = property(lambda self: {(self.owner, self.name)} | ({self.disk} - {None}))


class Model:
    def __init__(self):
        self.now, self.served, self.wanted, self.wake = 0.0, 0.0, True, NEVER
        self.present = {"h100": list(range(8)), "cpu": list(range(4))}
        self.boxes, self.disks, self.keys = [], [], {}

    def live(self, owner=None, disk=None):
        return [b for b in self.boxes if b.state != "ended" and owner in (None, b.owner) and disk in (None, b.disk)]

    def line(self):
        return sorted((b for b in self.boxes if b.state == "queued"), key=lambda b: (-b.body["priority"], b.seq))

    def find_disk(self, owner, name, *, deleted=False):
        return next((d for d in self.disks[::-1] if (d.owner, d.name, d.deleted) == (owner, name, deleted)), None)

    def submit(self, owner, key, body):
        refuse_if(body["priority"] > 0 and owner != "kim", "not-allowed")
        before, box = self.keys.get((owner, key), (body, None))
        refuse_if(before != body, "conflict")
        if box is not None:
            return box
        mine = self.live(owner)
        refuse_if(body["duration_seconds"] > LONGEST[body["gpu_type"]] or len(mine) >= BOXES, "limit-reached")
        refuse_if(sum(b.body["gpus"] for b in mine) + body["gpus"] > GPUS, "limit-reached")
        disk = body["disk"] and (self.find_disk(owner, body["disk"]) or self.new_disk(owner, body["disk"]))
        refuse_if(disk and any(not b.cancelled for b in self.live(disk=disk)), "conflict")
        names = {b.name for b in mine if not b.cancelled}
        refuse_if(body["name"] in names, "conflict")
        base = body["disk"] or body["gpu_type"]
        name = body["name"] or next(n for n in (base, *(f"{base}-{i}" for i in range(2, 9))) if n not in names)
        box = Box(
            owner=owner, body=body, seq=len(self.boxes), name=name, disk=disk, granted=body["duration_seconds"],
            deadline=self.now + (body["max_wait_seconds"] or MAX_WAIT), state="queued", reason=None, cancelled=False,
            dead=False, started=None, noticed=None, held=[], told=(None, None),
        )  # fmt: skip
        self.keys[owner, key] = (body, box)
        self.boxes.append(box)
        self.disks += [disk] if disk and disk not in self.disks else []
        self.wanted = True
        return box

    def new_disk(self, owner, name):
        refuse_if(len([d for d in self.disks if d.owner == owner and not d.deleted]) >= DISKS, "limit-reached")
        return Disk(
            owner=owner, name=name, deleted=False, volume=False, snapshots=[], asked=0, source=None, sources=set()
        )

    def cancel(self, owner, box):
        refuse_if(box.owner != owner, "not-found")
        refuse_if(box.state == "ended" and not box.cancelled, "conflict")
        box.cancelled = self.wanted = True

    def extend(self, owner, box, more):
        refuse_if(more > EXTENSION, "limit-reached")
        refuse_if(box.owner != owner, "not-found")
        refuse_if(box.state == "ended" or box.cancelled, "conflict")
        refuse_if(box.granted + more > max(IN_ALL, LONGEST[box.kind]), "limit-reached")
        box.granted, box.noticed, self.wanted = box.granted + more, None, True

    def change_disk(self, owner, name, what):
        disk = self.find_disk(owner, name, deleted=what == "undelete")
        if what == "create":
            made = self.new_disk(owner, name)
            refuse_if(disk, "conflict")
            self.disks.append(made)
            return
        refuse_if(what == "undelete" and self.find_disk(owner, name), "conflict")
        refuse_if(disk is None, "not-found")
        refuse_if(self.live(disk=disk), "conflict")
        if what == "undelete":
            self.new_disk(owner, name)  # there must be room for it
        elif what == "snapshot":
            refuse_if(not disk.volume, "conflict")
            disk.snapshots[:0], disk.asked = [object()] * (not disk.asked), 1
        elif what == "restore":
            good = disk.snapshots[disk.asked :]
            refuse_if(not good, "not-found")
            disk.source, disk.volume = good[0], False
        disk.deleted = what == "delete"

    def earliest(self, used, box, lasts, after):
        """Return the first moment from which its slots are free for so long, or None."""
        kind, slots, room = box.kind, box.slots, len(self.present[box.kind])
        mine = [(start, end, n) for place, start, end, n in used if place == kind]
        for moment in sorted({after, *(end for _, end, _ in mine if end > after)}) if room >= slots else ():
            turns = {moment, *(start for start, _, _ in mine if moment < start < moment + lasts)}
            if all(sum(n for start, end, n in mine if start <= turn < end) + slots <= room for turn in turns):
                return moment
        return None

    def foresee(self):
        """Return when each in line starts if nobody asks for more, and what is used then."""
        ends = {b: max((b.expires or self.now + b.granted) + GRACE + STOP, self.now + 1) for b in self.boxes if b.held}
        used = [(b.kind, self.now, end, len(b.held)) for b, end in ends.items()]
        taken = {thing: end for b, end in ends.items() for thing in b.things}
        line, starts, blocked = [b for b in self.line() if not b.cancelled], {}, []
        for last in (False, True):
            for box in blocked if last else line:
                after = max([self.now, *(taken.get(thing, self.now) for thing in box.things)])
                if after > self.now and not last:
                    blocked.append(box)
                    continue
                start = self.earliest(used, box, box.lasts, after) if after < NEVER else None
                starts[box] = start
                used += [] if start is None else [(box.kind, start, start + box.lasts, box.slots)]
                taken |= dict.fromkeys(box.things, NEVER if start is None else start + box.lasts)
        return {box: starts[box] for box in line}, used

    def plan(self):
        """Give those their slots who start now; return whether anybody did."""
        if not self.wanted and self.now < self.wake:
            return False
        (starts, _), began = self.foresee(), False
        for box, start in starts.items():
            box.told = ([other for other in starts if other.kind == box.kind].index(box) + 1, start)
            slots = self.free(box.kind)[: box.slots]
            if start == self.now and len(slots) == box.slots:
                box.state, box.held, began = "preparing", slots, True
        self.wanted, self.wake = False, min((s for s in starts.values() if s and s > self.now), default=NEVER)
        return began

    def free(self, kind):
        held = {slot for box in self.boxes if box.kind == kind for slot in box.held}
        return [slot for slot in self.present[kind] if slot not in held]

    def settle(self):
        """Let everybody work until nothing is left to do."""
        while True:
            for box in self.live():
                self._work(box)
            for disk in self.disks:
                disk.asked, kept = 0, {disk.source, *disk.sources, *disk.snapshots[:SNAPSHOTS]}
                disk.snapshots = [snapshot for snapshot in disk.snapshots if snapshot in kept]
            if not self.plan():
                return

    def _work(self, box):
        overdue = box.expires is not None and self.now >= box.expires
        if box.cancelled:
            self._end(box, "cancelled")
        elif box.state == "queued" and self.now >= box.deadline:
            self._end(box, "failed")
        elif box.state == "preparing":
            box.state, box.started, self.wanted = "active", self.now, True
            if box.disk and not box.disk.volume:
                box.disk.sources |= {box.disk.source}
                box.disk.volume, box.disk.source = True, None
        elif overdue and box.noticed is not None and self.served - box.noticed >= GRACE:
            self._end(box, "expired")
        elif box.dead:
            self._end(box, "failed")
        elif overdue and box.noticed is None:
            box.noticed = self.served

    def _end(self, box, reason):
        if box.disk and box.state == "active":
            box.disk.snapshots.insert(0, object())
        box.state, box.reason, box.held, self.wanted = "ended", reason, [], True
