"""The end by time, as on one cluster: the same journeys, the cluster and its disks are a cloud's."""

from __future__ import annotations

from tests.cluster.journeys.test_time_is_up import *  # noqa: F403 - what that page lists, and nothing else
