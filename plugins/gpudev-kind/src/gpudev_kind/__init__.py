"""The plugin `kind`: a Kubernetes cluster in containers on one machine."""

from __future__ import annotations
