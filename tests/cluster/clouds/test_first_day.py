"""A person's first day, as on one cluster: the same journeys, the cluster and its disks are a cloud's."""

from __future__ import annotations

from tests.cluster.journeys.test_first_day import *  # noqa: F403 - what that page lists, and nothing else
