"""The API server itself takes every object of every shape, of which schemas see the form alone. Nothing is made."""

from __future__ import annotations

import pytest
import yaml

from tests.chart.rendering import SHAPES, kinds, render, values_of

#: No part of Kubernetes itself; and namespaces are there, or are another's here.
LEFT_OUT = ("ServiceMonitor", "PodMonitor", "PrometheusRule", "HTTPRoute", "Namespace")


@pytest.fixture(scope="module")
def create(ground, release):
    """What asks the API server to make objects and only say so, in the namespaces of the release that lives."""

    def asked(things: list[dict], ok: bool = True):
        return ground.run(
            "kubectl", "create", "--dry-run=server", "--filename=-", input=yaml.safe_dump_all(things), ok=ok
        )

    return asked


def _objects(shape: str) -> list[dict]:
    # Pods that need a privileged namespace go where nothing is held against them.
    made = render(*values_of(shape), "--set=namespaces.privileged=default", release="shape")
    return [each for each in made if each["kind"] not in LEFT_OUT]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_object_of_a_shape_would_be_made(create, shape):
    things = _objects(shape)
    said = create(things)

    assert said.stdout.count("created (server dry run)") == len(things) > 30
    assert said.stderr == ""


def test_what_only_the_server_sees_is_seen(create):
    (job, *_) = [
        {**each, "spec": {**each["spec"], "schedule": "each noon"}} for each in kinds(_objects("default"), "CronJob")
    ]
    said = create([job], ok=False)

    assert said.returncode != 0
    assert "spec.schedule" in said.stderr
