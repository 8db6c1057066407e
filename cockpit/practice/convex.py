"""The part of a Convex deployment's HTTP API that a cockpit needs, over the world's new side.

Public routes, function envelopes (a function error is HTTP 200), admin-key checks, pause, system
queries. Functions throw as production does: the message stops after "Server Error".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cockpit.core.model import Side
from cockpit.practice.convex_flags import ConvexFlags, NotRun, TableFunctions, Thrown
from cockpit.practice.convex_inside import MIGRATION_STATUS, ConvexInside
from cockpit.practice.faults import Fault, FaultName
from cockpit.practice.tokens import TokenKind, kind_of
from cockpit.practice.world import World

DEFAULT_INSTANCE: Final = "practice"
WRONG_INSTANCE: Final = "somebody-elses-deployment"
VERSION: Final = "practice-0.1"
PAUSED: Final = (
    "Cannot run functions while this deployment is paused. "
    "Resume the deployment in the dashboard settings to allow functions to run."
)
HEALTH_FUNCTIONS: Final = ("health:check", "health:ping", "health:default")
_ENCODED: Final = ("convex_encoded_json", "convex_json")
_FORMATS: Final = (None, "json", *_ENCODED)
_FUNCTION_KINDS: Final = ("query", "mutation", "action")


class Convex:
    def __init__(
        self, world: World, *, instance: str, functions: Collection[str], table: TableFunctions
    ) -> None:
        self._world = world
        self._table = table
        self._flags = ConvexFlags(world, table)
        self._inside = ConvexInside(world)
        self._instance = instance
        self._functions = {_full(name) for name in (*HEALTH_FUNCTIONS, *functions)}
        self._requests = 0

    def routes(self) -> list[Route]:
        return [
            Route("/", self.root),
            Route("/version", self.version),
            Route("/instance_version", self.version),
            Route("/instance_name", self.instance_name),
            Route("/echo", self.echo, methods=["POST"]),
            Route("/api/query_ts", self.query_ts, methods=["POST"]),
            Route("/api/query", self.get_query, methods=["GET"]),
            *(Route(f"/api/{kind}", self.function, methods=["POST"]) for kind in _FUNCTION_KINDS),
            Route("/api/function", self.function, methods=["POST"]),
            Route("/api/run/{path:path}", self.run, methods=["POST"]),
            Route("/api/query_batch", self.query_batch, methods=["POST"]),
            Route("/api/app_metrics/{name}", self.metric),
            Route("/api/stream_function_logs", self.log),
            Route("/api/check_admin_key", self.check_admin_key),
            Route("/api/v1/deployment_info", self.deployment_info),
            Route("/api/v1/pause_deployment", self.pause, methods=["POST"]),
            Route("/api/v1/unpause_deployment", self.unpause, methods=["POST"]),
        ]

    # --- without a key ---

    async def root(self, request: Request) -> Response:
        return PlainTextResponse("This Convex deployment is running. See https://docs.convex.dev/.")

    async def version(self, request: Request) -> Response:
        return PlainTextResponse(VERSION)

    async def instance_name(self, request: Request) -> Response:
        return PlainTextResponse(self._name)

    async def echo(self, request: Request) -> Response:
        return Response(await request.body(), media_type=request.headers.get("content-type"))

    async def query_ts(self, request: Request) -> Response:
        stamp = int(self._world.now().timestamp() * 1_000_000_000)
        return JSONResponse({"ts": base64.b64encode(stamp.to_bytes(8, "little")).decode()})

    @property
    def _name(self) -> str:
        return WRONG_INSTANCE if self._world.active(FaultName.WRONG_INSTANCE) else self._instance

    # --- functions ---

    async def get_query(self, request: Request) -> Response:
        asked: dict[str, Any] = dict(request.query_params)
        try:
            asked["args"] = json.loads(asked.get("args", "{}"))
        except ValueError:
            return _error(400, "BadJsonBody", "args is not valid JSON")
        return await self._called(request, asked)

    async def function(self, request: Request) -> Response:
        asked = await _body(request)
        return asked if isinstance(asked, Response) else await self._called(request, asked)

    async def query_batch(self, request: Request) -> Response:
        """All answers, or the first failure of a request among them."""
        asked = await _body(request)
        if isinstance(asked, Response):
            return asked
        queries = asked.get("queries")
        if not isinstance(queries, list) or not all(isinstance(each, dict) for each in queries):
            return PlainTextResponse("Failed to deserialize the JSON body into the target type", 422)
        answers = [await self._called(request, each) for each in queries]
        failed = [each for each in answers if each.status_code != 200]
        if failed:
            return failed[0]
        return JSONResponse({"results": [json.loads(bytes(each.body)) for each in answers]})

    async def run(self, request: Request) -> Response:
        """`dir/file/function`: at least two parts."""
        *module, name = request.path_params["path"].split("/")
        if not module:
            return _error(400, "MissingIdentifier", "The path needs a module and a function")
        asked = await _body(request)
        if isinstance(asked, Response):
            return asked
        return await self._called(request, {**asked, "path": f"{'/'.join(module)}:{name}"})

    async def _called(self, request: Request, asked: Mapping[str, Any]) -> Response:
        path, format_name = asked.get("path"), asked.get("format")
        if not isinstance(path, str) or not path or path.startswith("/") or path.count(":") > 1:
            return _error(400, "BadConvexFunctionIdentifier", f"{path!r} is not a valid path to a function.")
        if format_name not in _FORMATS:
            return _error(400, "BadFormat", f"Format {format_name!r} is not supported")
        refused = self._bad_key(request)
        if refused is not None:
            return refused
        if path.startswith("_system/"):
            return self._system(request, path, asked)
        if self._paused() is not None:
            return JSONResponse({"status": "error", "errorMessage": PAUSED})
        if asked.get("componentPath") == "migrations" and path == MIGRATION_STATUS:
            args = asked.get("args")
            return _value(self._inside.migrations(args if isinstance(args, dict) else {}))
        if path in self._table.paths:
            return self._flag_function(request, path, asked.get("args"))
        if _full(path) not in self._functions:
            return self._threw()
        if self._world.strikes(self._world.profile(Side.NEW).error_rate):
            return self._threw()
        return JSONResponse({"status": "success", "value": {"status": "ok", "at": self._unix_ms()}})

    def _flag_function(self, request: Request, path: str, args: object) -> Response:
        """Internal functions: without a key there are none, and a viewer's key runs no mutation."""
        key = request.headers.get("authorization", "")
        if not key or (path == self._table.list_query) != request.url.path.endswith("/query"):
            return self._threw()
        if path != self._table.list_query and TokenKind.VIEWER in key:
            return _error(403, "OperationNotPermitted", "The key may not run internal mutations.")
        given = args[0] if isinstance(args, list) and args else args
        try:
            with self._world.lock:
                return _value(self._flags.call(path, given if isinstance(given, dict) else {}))
        except Thrown as thrown:
            return self._threw(thrown.data)
        except NotRun as refused:
            return _error(refused.status, refused.code, "The function was not run.")

    def _threw(self, data: object = None) -> Response:
        """As production says it: with a request id and without the reason."""
        self._requests += 1
        message = f"[Request ID: {self._requests:016x}] Server Error"
        body: dict[str, Any] = {"status": "error", "errorMessage": message}
        return JSONResponse(body if data is None else body | {"errorData": data})

    def _system(self, request: Request, path: str, asked: Mapping[str, Any]) -> Response:
        if not request.headers.get("authorization"):
            return self._threw()
        if path == "_system/frontend/backendState":
            user = "paused" if self._paused() is not None else "none"
            return _value({"system": "none", "usage_limit": "none", "user": user})
        if path == "_system/frontend/getVersion":
            return _value(VERSION)
        args = asked.get("args")
        given = args[0] if isinstance(args, list) and args else args
        encoded = asked.get("format") in _ENCODED
        try:
            return _value(
                self._inside.system_query(path, given if isinstance(given, dict) else {}, encoded=encoded)
            )
        except KeyError:
            return self._threw()

    def _unix_ms(self) -> float:
        return round(self._world.now().timestamp() * 1000, 3)

    # --- with an admin key ---

    def _bad_key(self, request: Request) -> Response | None:
        """None for a good key and for no key at all; users' tokens have no provider here."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() == "bearer":
            return _error(401, "NoAuthProvider", "No auth provider found matching the given token")
        secret = key.rpartition("|")[2]
        if scheme.lower() == "convex" and kind_of(secret) in (TokenKind.ADMIN, TokenKind.VIEWER):
            return None
        return _error(
            403,
            "BadDeployKey",
            f"The provided deploy key was invalid for deployment '{self._name}'. Double check that the "
            "environment this key was generated for matches the desired deployment.",
        )

    def _keyless(self, request: Request) -> Response | None:
        if not request.headers.get("authorization"):
            return _error(401, "Unauthenticated", "This call needs an admin key")
        return self._bad_key(request)

    async def check_admin_key(self, request: Request) -> Response:
        read_only = TokenKind.VIEWER in request.headers.get("authorization", "")
        allowed = ["ViewData", "ViewMetrics", "ViewLogs", "RunInternalQueries"] if read_only else []
        answer = {"success": True, "allowedOps": allowed, "isReadOnly": read_only}
        return self._keyless(request) or JSONResponse(answer)

    async def metric(self, request: Request) -> Response:
        return self._keyless(request) or await self._inside.metric(request)

    async def log(self, request: Request) -> Response:
        return self._keyless(request) or await self._inside.log(request)

    async def deployment_info(self, request: Request) -> Response:
        return self._keyless(request) or JSONResponse({"kind": "selfHosted"})

    async def pause(self, request: Request) -> Response:
        refused = self._keyless(request)
        if refused is not None:
            return refused
        if self._paused() is not None:
            return _error(400, "PauseDeploymentFailed", "The deployment is paused already.")
        self._world.inject(Fault(name=FaultName.CONVEX_PAUSED))
        return Response()

    async def unpause(self, request: Request) -> Response:
        refused = self._keyless(request)
        if refused is not None:
            return refused
        if self._paused() is None:
            return _error(400, "UnpauseDeploymentFailed", "The deployment is not paused.")
        self._world.clear(FaultName.CONVEX_PAUSED)
        return Response()

    def _paused(self) -> Fault | None:
        return self._world.active(FaultName.CONVEX_PAUSED)


async def _body(request: Request) -> dict[str, Any] | Response:
    """The JSON object of the body, or the web framework's refusal, which is plain text."""
    try:
        asked = json.loads(await request.body())
    except ValueError:
        return PlainTextResponse("Failed to parse the request body as JSON", 400)
    if not isinstance(asked, dict):
        return PlainTextResponse("Failed to deserialize the JSON body into the target type", 422)
    return asked


def _full(path: str) -> str:
    """`module:function`, with the default export and the file ending spelled one way."""
    module, _, name = path.partition(":")
    return f"{module.removesuffix('.js').removesuffix('.ts')}:{name or 'default'}"


def _value(value: object) -> Response:
    return JSONResponse({"status": "success", "value": value})


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status)


def convex_app(
    world: World,
    *,
    instance: str = DEFAULT_INSTANCE,
    functions: Collection[str] = (),
    table: TableFunctions | None = None,
) -> Starlette:
    double = Convex(world, instance=instance, functions=functions, table=table or TableFunctions())
    return Starlette(routes=double.routes())
