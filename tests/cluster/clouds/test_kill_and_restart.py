"""kill -9 of gpudev at any time, as on one cluster: the same journeys, the cluster and its disks are a cloud's."""

from __future__ import annotations

from tests.cluster.journeys.test_kill_and_restart import *  # noqa: F403 - what that page lists, and nothing else
