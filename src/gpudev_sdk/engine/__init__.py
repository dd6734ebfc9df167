"""The use cases: what a person can ask, the planner, the decisions, the processor and the sweeps. Synchronous."""

from __future__ import annotations
