"""Values and rules of the field: attrs and the standard library only. No I/O, no clock, no logging."""

from __future__ import annotations
