"""Plain HTTP backends, one per side: health where a plan asks for it, and an API as broken as the side is
at that moment. The legacy side also reports its parts: db and redis. How long it takes is the gate's part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side
from cockpit.practice.faults import FaultName
from cockpit.practice.world import World

_RESOURCES: Final = ("chats", "messages", "sessions", "users", "courses")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPage:
    """One health address: what it answers while all is well. `pointer` is RFC 6901 into the JSON body."""

    path: str
    status: int = 200
    pointer: str = ""
    value: Any = None

    def document(self, parts: Mapping[str, str], *, sick: bool) -> Any:
        """The body: the usual words, with what the pointer names as expected (or not, when sick)."""
        document: dict[str, Any] = {"status": "error" if sick else "ok", **parts}
        value = _opposite(self.value) if sick else self.value
        if self.value is None:
            return document
        if not self.pointer:
            return value
        *parents, last = (step.replace("~1", "/").replace("~0", "~") for step in self.pointer[1:].split("/"))
        holder = document
        for parent in parents:
            inner = holder.get(parent)
            holder[parent] = holder = inner if isinstance(inner, dict) else {}
        holder[last] = value
        return document


def _opposite(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return "error" if isinstance(value, str) else -1


USUAL_PAGES: Final = (HealthPage(path="/health"), HealthPage(path="/ready"), HealthPage(path="/api/health"))


class PlainBackend:
    def __init__(self, world: World, side: Side, pages: Collection[HealthPage]) -> None:
        self._world = world
        self._side = side
        self._pages = {page.path: page for page in (*USUAL_PAGES, *pages)}

    def routes(self) -> list[Route]:
        both = ["GET", "POST"]
        return [
            *(Route(path, self.health, methods=["GET", "HEAD"]) for path in self._pages),
            Route("/healthz", self.healthz),
            Route("/api/{resource}", self.items, methods=both),
            Route("/api/{resource}/{item}", self.item, methods=[*both, "PUT", "DELETE"]),
        ]

    async def health(self, request: Request) -> Response:
        """As the plan expects it while all is well; 503 naming what is not while legacy is sick."""
        page, sick = self._pages[request.url.path], self._sick
        parts = {"db": "timeout" if sick else "ok", "redis": "ok"} if self._side is Side.LEGACY else {}
        return JSONResponse(page.document(parts, sick=sick), 503 if sick else page.status)

    async def healthz(self, request: Request) -> Response:
        return PlainTextResponse("unhealthy" if self._sick else "ok", 503 if self._sick else 200)

    @property
    def _sick(self) -> bool:
        return self._side is Side.LEGACY and self._world.active(FaultName.LEGACY_SICK) is not None

    async def items(self, request: Request) -> Response:
        resource = request.path_params["resource"]
        return await self._served([{"id": str(number)} for number in range(1, 4)], resource)

    async def item(self, request: Request) -> Response:
        return await self._served({"id": request.path_params["item"]}, request.path_params["resource"])

    async def _served(self, body: object, resource: str) -> Response:
        if resource not in _RESOURCES:
            return JSONResponse({"detail": "Not Found"}, 404)
        if self._world.strikes(self._world.profile(self._side).error_rate):
            return JSONResponse({"detail": "Internal Server Error"}, 500)
        return JSONResponse(body)


def plain_app(world: World, side: Side, *, pages: Collection[HealthPage] = ()) -> Starlette:
    return Starlette(routes=PlainBackend(world, side, pages).routes())
