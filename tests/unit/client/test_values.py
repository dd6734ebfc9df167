"""What notebooks show: never markup of anybody else's."""

from __future__ import annotations

import pytest

from gpudev_sdk.client.values import Availability, Disk, DiskList, Reservation, ReservationList, gpus, size
from tests.unit.client.stub_api import NOW, reservation

EVIL = '<script>alert(1)</script>&"'


def _reservation(**fields) -> Reservation:
    view = reservation(**fields)
    return Reservation(**{name: getattr(view, name) for name in view.__struct_fields__})


def _values():
    import uuid

    from gpudev_sdk.wire.views import AvailabilityRow

    row = AvailabilityRow(gpu_type=EVIL, backend=EVIL, total=1, free=1, largest_now=1, per_node=1, queued=0)
    disk = Disk(id=uuid.uuid4(), name=EVIL, size_bytes=1, created_at=NOW, in_use_by=EVIL)
    held = _reservation(name=EVIL, detail=EVIL, disk=EVIL, gpu_type=EVIL)
    return [held, ReservationList([held]), disk, DiskList([disk]), Availability(as_of=NOW, rows=[row])]


@pytest.mark.parametrize("value", _values(), ids=lambda value: type(value).__name__)
def test_what_people_wrote_never_becomes_markup(value):
    shown = value._repr_html_()

    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "—"), (0, "0 B"), (999, "999 B"), (2048, "2.0 KB"), (100 * 1024**3, "100 GB"), (5 * 1024**5, "5.0 PB")],
)
def test_sizes_read_like_sizes(count, shown):
    assert size(count) == shown


def test_a_type_without_gpus_is_named_alone():
    assert (gpus("cpu", 0), gpus("h100", 2)) == ("cpu", "2 × h100")
