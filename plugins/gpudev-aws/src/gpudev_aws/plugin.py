"""The hooks of `aws`. What only a provider needs is imported inside, so that naming the plugin costs nothing."""

from __future__ import annotations
