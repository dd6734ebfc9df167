"""A request whose body is decoded strictly into the wire's Struct: no unknown field, no number in quotes."""

from __future__ import annotations

from typing import Any

from litestar import Request

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.wire import codec


class StrictRequest(Request[Any, Any, Any]):
    """Decodes JSON by the handler's own `data` annotation."""

    async def json(self) -> Any:
        """Return the body as the Struct that the handler asks for."""
        field = self.route_handler.parsed_data_field
        body = await self.body()
        if field is None:
            raise InvalidRequest("this call takes no body")
        return codec.decode(body, field.annotation)
