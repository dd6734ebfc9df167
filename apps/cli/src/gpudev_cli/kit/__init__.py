"""What authors of plugins are given by `gpudev plugins`: a skeleton that works, and checks of what is there."""

from __future__ import annotations
