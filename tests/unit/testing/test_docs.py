"""The page of the simulated cloud: its program runs, and it names all there is."""

from __future__ import annotations

import pathlib
import re

import attrs

from gpudev_sdk.testing.cloud import SimulatedCloud, SimulatedSettings, Weather

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "plugins" / "simulated-cloud.md").read_text()


def test_the_program_of_the_page_runs():
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    names = {}
    exec(compile(program, "simulated-cloud.md", "exec"), names)

    assert names["cloud"].calls["storage.create_volume"] == 1


def test_every_kind_of_weather_and_every_setting_is_on_the_page():
    fields = [*attrs.fields_dict(Weather), *attrs.fields_dict(SimulatedSettings)]

    assert [name for name in fields if not re.search(rf"\b{name}\b", PAGE)] == []


def test_every_public_method_of_the_cloud_is_on_the_page():
    inner = {"after", "call", "chance", "hourly", "is_blind", "progress", "then"}
    names = {name for name in dir(SimulatedCloud) if not name.startswith("_")} - inner

    assert sorted(name for name in names if not re.search(rf"\b{name}\b", PAGE)) == []
