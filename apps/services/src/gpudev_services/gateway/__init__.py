"""The SSH gateway: authenticates people, finds their boxes, forwards bytes."""

from __future__ import annotations

from gpudev_services.gateway.access import Access, Box, Hold, StoreAccess
from gpudev_services.gateway.caps import Caps
from gpudev_services.gateway.server import Gateway, GatewaySettings

__all__ = ["Access", "Box", "Caps", "Gateway", "GatewaySettings", "Hold", "StoreAccess"]
