"""Unleash's admin API as an HTTP face on the world's flags.

Routes, status codes and bodies as recorded from Unleash OSS 8.2. Tokens by prefix: `practice-` admin
(`practice-as-NAME` writes under that name in the audit log, as a personal token would), `viewer-` may
read only, `client-` and `frontend-` belong to the other APIs, anything else is unknown.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cockpit.practice import unleash_shapes as shapes
from cockpit.practice.faults import FORBIDDEN, FaultName
from cockpit.practice.flags import Author, FlagStore
from cockpit.practice.gate import WRITES
from cockpit.practice.json_patch import BAD_DATA, Json, Refusal
from cockpit.practice.tokens import PERSON_PREFIX, TokenKind, kind_of
from cockpit.practice.unleash_client import client_routes
from cockpit.practice.world import World

_PROJECT: Final = "/api/admin/projects/{project}"
_FEATURE: Final = f"{_PROJECT}/features/{{feature}}"
_ENVIRONMENT: Final = f"{_FEATURE}/environments/{{environment}}"
_STRATEGY: Final = f"{_ENVIRONMENT}/strategies/{{strategy}}"
_SEARCHES_PER_MINUTE: Final = 15
_MAX_EVENTS: Final = 1000

Handler = Callable[[Request], Awaitable[Response]]
Change = Callable[[FlagStore, Author, datetime], Json]


class Unleash:
    """The handlers. Each write goes through `_write`, which asks for the right and applies the faults."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._errors = 0
        self._searches: deque[float] = deque()

    def routes(self) -> list[Route]:
        read, write = self._reads, self._writes
        return [
            Route("/health", _good),
            Route("/ready", _good),
            Route("/api/admin/ui-config", read(self.ui_config)),
            Route("/api/admin/user", read(self.user)),
            Route("/api/admin/environments", read(self.environments)),
            Route("/api/admin/projects", read(self.projects)),
            Route("/api/admin/maintenance", read(self.maintenance), methods=["GET"]),
            Route("/api/admin/maintenance", write(self.set_maintenance), methods=["POST"]),
            Route("/api/admin/events", read(self.events)),
            Route("/api/admin/search/events", read(self.search_events)),
            Route("/api/admin/search/features", read(self.search_features)),
            Route(f"{_PROJECT}/features", read(self.features), methods=["GET"]),
            Route(f"{_PROJECT}/features", write(self.create), methods=["POST"]),
            Route(_FEATURE, read(self.feature)),
            Route(_ENVIRONMENT, read(self.feature_environment)),
            Route(f"{_ENVIRONMENT}/strategies", read(self.strategies), methods=["GET"]),
            Route(f"{_ENVIRONMENT}/strategies", write(self.add_strategy), methods=["POST"]),
            Route(_STRATEGY, read(self.strategy), methods=["GET"]),
            Route(_STRATEGY, write(self.patch_strategy), methods=["PATCH"]),
            Route(_STRATEGY, write(self.put_strategy), methods=["PUT"]),
            Route(_STRATEGY, write(self.delete_strategy), methods=["DELETE"]),
            Route(f"{_ENVIRONMENT}/{{switch:str}}", write(self.switch), methods=["POST"]),
            Route(
                f"{_PROJECT}/bulk_features/environments/{{environment}}/{{switch:str}}",
                write(self.switch_many),
                methods=["POST"],
            ),
            Route("/api/admin/{rest:path}", read(self.unknown), methods=["GET", *WRITES]),
        ]

    # --- who may ---

    def _reads(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            refused = self._unwelcome(request)
            if refused is not None:
                return refused
            with self._world.lock:
                self._world.settle()
                try:
                    return await handler(request)
                except Refusal as refusal:
                    return JSONResponse(shapes.refusal(refusal), refusal.status)

        return guarded

    def _writes(self, handler: Handler) -> Handler:
        guarded = self._reads(handler)

        async def may_write(request: Request) -> Response:
            refused = self._unwelcome(request) or self._write_refused(request)
            if refused is not None:
                return refused
            await request.body()
            return await guarded(request)

        return may_write

    def _unwelcome(self, request: Request) -> Response | None:
        token = request.headers.get("authorization", "")
        kind = kind_of(token)
        if kind in (TokenKind.ADMIN, TokenKind.VIEWER):
            return None
        if kind is not None:
            return JSONResponse(shapes.WRONG_TOKEN_TYPE, 403)
        return JSONResponse(shapes.unauthenticated(bool(token), self._next_error()), 401)

    def _write_refused(self, request: Request) -> Response | None:
        refuses = self._world.active(FaultName.FLAG_SERVICE_REFUSES_WRITES)
        may_not = kind_of(request.headers["authorization"]) is TokenKind.VIEWER
        if may_not or (refuses is not None and refuses.kind == FORBIDDEN):
            environment = request.path_params.get("environment", "production")
            permission = (
                "UPDATE_FEATURE_STRATEGY"
                if "strategies" in request.url.path
                else "UPDATE_FEATURE_ENVIRONMENT"
            )
            return JSONResponse(shapes.forbidden(permission, environment), 403)
        maintenance = self._world.flags.maintenance and request.url.path != "/api/admin/maintenance"
        if refuses is not None or maintenance:
            return JSONResponse(shapes.IN_MAINTENANCE, 503)
        return None

    def _write(self, request: Request, change: Change, flags: Sequence[str] = ()) -> Json:
        """Do a change, or only pretend to while the service lies. Raises `Refusal`."""
        author, answers = _author(request), []

        def apply(store: FlagStore, at: datetime) -> None:
            answers.append(change(store, author, at))

        if self._world.active(FaultName.FLAG_SERVICE_LIES):
            apply(self._world.flags.copy(), self._world.now())
        else:
            self._world.write(apply, flags)
        return answers[0]

    def _next_error(self) -> int:
        self._errors += 1
        return self._errors

    # --- reading ---

    async def ui_config(self, request: Request) -> Response:
        return JSONResponse(shapes.ui_config(self._world.flags.maintenance))

    async def user(self, request: Request) -> Response:
        admin = kind_of(request.headers["authorization"]) is TokenKind.ADMIN
        return JSONResponse(shapes.me(["ADMIN"] if admin else []))

    async def environments(self, request: Request) -> Response:
        flags = self._world.flags
        return JSONResponse(shapes.environments(flags.features, flags.environment_names))

    async def projects(self, request: Request) -> Response:
        """`default` is there in every Unleash; the others are those of the flags."""
        names = {"default", *(each.project for each in self._world.flags.features.values())}
        return JSONResponse(
            {"version": 1, "projects": [{"id": name, "name": name.capitalize()} for name in sorted(names)]}
        )

    async def maintenance(self, request: Request) -> Response:
        return JSONResponse({"enabled": self._world.flags.maintenance})

    async def features(self, request: Request) -> Response:
        """A project that does not exist is an empty one."""
        project = request.path_params["project"]
        found = [each for each in self._world.flags.features.values() if each.project == project]
        return JSONResponse({"version": 2, "features": [shapes.listed_feature(each) for each in found]})

    async def feature(self, request: Request) -> Response:
        path = request.path_params
        return JSONResponse(shapes.whole_feature(self._world.flags.feature(path["project"], path["feature"])))

    async def feature_environment(self, request: Request) -> Response:
        path, flags = request.path_params, self._world.flags
        environment = flags.environment(path["project"], path["feature"], path["environment"])
        return JSONResponse(shapes.feature_environment(flags.features[path["feature"]], environment))

    async def strategies(self, request: Request) -> Response:
        path = request.path_params
        found = self._world.flags.environment(path["project"], path["feature"], path["environment"])
        return JSONResponse([shapes.listed_strategy(each) for each in found.strategies])

    async def strategy(self, request: Request) -> Response:
        return JSONResponse(
            self._world.flags.strategy(*_target(request), request.path_params["strategy"]).tree()
        )

    async def events(self, request: Request) -> Response:
        """The old one, which ignores `limit`."""
        newest = list(reversed(self._world.flags.events))
        return JSONResponse({"version": 1, "events": newest, "totalEvents": len(newest)})

    async def search_events(self, request: Request) -> Response:
        query = request.query_params
        found = [
            event
            for event in reversed(self._world.flags.events)
            if _matches(query.get("feature"), event["featureName"])
            and _matches(query.get("environment"), event["environment"])
            and _matches(query.get("project"), event["project"])
            and _matches(query.get("type"), event["type"])
            and _matches(query.get("createdBy"), event["createdBy"])
            and _matches_day(query.get("from"), event["createdAt"], earliest=True)
            and _matches_day(query.get("to"), event["createdAt"], earliest=False)
        ]
        limit = min(_whole(query.get("limit"), 50), _MAX_EVENTS)
        offset = _whole(query.get("offset"), 0)
        page = [shapes.found_event(event) for event in found[offset : offset + limit]]
        return JSONResponse({"events": page, "total": len(found)})

    async def search_features(self, request: Request) -> Response:
        """15 a minute; then 429 with a body that is not JSON."""
        now_s = self._world.now_s
        while self._searches and self._searches[0] <= now_s - 60:
            self._searches.popleft()
        left = _SEARCHES_PER_MINUTE - len(self._searches)
        reset_s = 60 if not self._searches else round(self._searches[0] + 60 - now_s)
        headers = {
            "ratelimit-policy": "15;w=60",
            "ratelimit-limit": "15",
            "ratelimit-remaining": str(max(0, left - 1)),
            "ratelimit-reset": str(reset_s),
        }
        if left <= 0:
            text = "Too many requests, please try again later."
            headers |= {"retry-after": str(reset_s)}
            return Response(text, 429, headers, "text/html")
        self._searches.append(now_s)
        query = request.query_params
        found = [
            each
            for each in self._world.flags.features.values()
            if _matches(query.get("project"), each.project)
        ]
        limit, offset = min(_whole(query.get("limit"), 50), 100), _whole(query.get("offset"), 0)
        page = [shapes.found_feature(each) for each in found[offset : offset + limit]]
        return JSONResponse({"features": page, "total": len(found)}, headers=headers)

    async def unknown(self, request: Request) -> Response:
        return JSONResponse(shapes.not_available(request.url.path, self._next_error()), 404)

    # --- writing ---

    async def set_maintenance(self, request: Request) -> Response:
        body = await self._object(request)
        self._world.flags.maintenance = bool(body.get("enabled"))
        return Response(status_code=204)

    async def create(self, request: Request) -> Response:
        body, project = await self._object(request), request.path_params["project"]
        created = self._write(
            request, lambda store, author, at: shapes.created_feature(store.create(project, body, author, at))
        )
        return JSONResponse(created, 201)

    async def add_strategy(self, request: Request) -> Response:
        body, target = await self._object(request), _target(request)
        added = self._write(
            request,
            lambda store, author, at: store.add_strategy(*target, body, author, at).tree(),
            target[1:2],
        )
        return JSONResponse(added)

    async def patch_strategy(self, request: Request) -> Response:
        operations = await self._json(request)
        if not isinstance(operations, list):
            detail = f"The `/body` property must be array. You sent {json.dumps(operations)}."
            body = shapes.error(
                "BadDataError", BAD_DATA, detail=detail, path="/body", number=self._next_error()
            )
            return JSONResponse(body, 400)
        target, strategy = _target(request), request.path_params["strategy"]
        patched = self._write(
            request,
            lambda store, author, at: store.patch_strategy(*target, strategy, operations, author, at).tree(),
            target[1:2],
        )
        return JSONResponse(patched)

    async def put_strategy(self, request: Request) -> Response:
        body, target, strategy = (
            await self._object(request),
            _target(request),
            request.path_params["strategy"],
        )
        stored = self._write(
            request,
            lambda store, author, at: store.put_strategy(*target, strategy, body, author, at).tree(),
            target[1:2],
        )
        return JSONResponse(stored)

    async def delete_strategy(self, request: Request) -> Response:
        target, strategy = _target(request), request.path_params["strategy"]
        self._write(
            request,
            lambda store, author, at: store.delete_strategy(*target, strategy, author, at),
            target[1:2],
        )
        return Response()

    async def switch(self, request: Request) -> Response:
        target, word = _target(request), request.path_params["switch"]
        if word not in ("on", "off"):
            return await self.unknown(request)
        self._write(
            request, lambda store, author, at: store.switch(*target, word == "on", author, at), target[1:2]
        )
        return Response()

    async def switch_many(self, request: Request) -> Response:
        path, body = request.path_params, await self._object(request)
        names = [str(name) for name in body.get("features") or []]
        if path["switch"] not in ("on", "off"):
            return await self.unknown(request)
        self._write(
            request,
            lambda store, author, at: store.switch_many(
                path["project"], names, path["environment"], path["switch"] == "on", author, at
            ),
            names,
        )
        return Response()

    async def _object(self, request: Request) -> Mapping[str, Json]:
        body = await self._json(request)
        if not isinstance(body, dict):
            raise Refusal(400, "BadDataError", BAD_DATA, detail="The `/body` property must be object.")
        return body

    async def _json(self, request: Request) -> Json:
        given = request.headers.get("content-type", "")
        raw = await request.body()
        if given.split(";")[0].strip() != "application/json" or not raw:
            body = shapes.content_type(given if raw else "", self._next_error())
            raise Refusal(415, body["name"], body["message"])
        try:
            return json.loads(raw)
        except ValueError:
            raise Refusal(400, "BadDataError", BAD_DATA, detail="The body is not valid JSON.") from None


async def _good(request: Request) -> Response:
    return JSONResponse({"health": "GOOD"})


def _target(request: Request) -> tuple[str, str, str]:
    path = request.path_params
    return path["project"], path["feature"], path["environment"]


def _author(request: Request) -> Author:
    token = request.headers["authorization"]
    if token.startswith(PERSON_PREFIX):
        return Author(name=token.removeprefix(PERSON_PREFIX), user_id=3)
    return Author()


def _matches(wanted: str | None, value: str | None) -> bool:
    """`IS:x` or `IS_ANY_OF:x,y`; no filter matches everything."""
    if wanted is None:
        return True
    operator, _, values = wanted.partition(":")
    names = values.split(",") if operator == "IS_ANY_OF" else [values]
    return value in names


def _matches_day(wanted: str | None, created_at: str, *, earliest: bool) -> bool:
    if wanted is None:
        return True
    day = wanted.removeprefix("IS:")
    return created_at[:10] >= day if earliest else created_at[:10] <= day


def _whole(raw: str | None, default: int) -> int:
    return int(raw) if raw is not None and raw.isdecimal() else default


def unleash_app(world: World) -> Starlette:
    return Starlette(routes=[*Unleash(world).routes(), *client_routes(world)])
