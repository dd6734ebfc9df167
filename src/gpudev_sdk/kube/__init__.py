"""A toolkit for backends on Kubernetes: dev servers are pods, disks are claims. Plugins of clouds build on it."""

from __future__ import annotations
