"""Many requests at once for few GPUs, with processors in several processes: nothing twice, nobody overtaken, all end."""

from __future__ import annotations

import pytest

from gpudev_sdk.store import roles
from tests.load.crew import build_engine, crews
from tests.load.folder_backend import Place
from tests.load.storm import Storm

REQUESTS = 500


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path, nodes=8)
    made.prepare()
    return made


def test_a_storm_books_nothing_twice_overtakes_nobody_and_ends(open_store, database, place):
    """500 at once for 64 GPUs with 8 processors in 2 processes; `benchmarks/allocation.py` has 5,000."""
    storm = Storm(build_engine(open_store(roles.ENGINE, max_size=20), place), place)
    with crews(database.dsn(), place, processes=2, processors=4, watched=True), storm.owners():
        storm.submit_all(REQUESTS)
        storm.wait_for_the_end(REQUESTS, within=300)

    assert len(storm.asked) == REQUESTS
    assert storm.starts() == REQUESTS
    assert place.doubles() == []
    assert storm.wrong_starts() == []
    assert place.boxes() == []
    assert storm.rows("SELECT * FROM gpu_slot WHERE reservation_id IS NOT NULL") == []
