"""A home-grown flag endpoint over the world's flags, in the shape that a plan's settings describe.

One mount per flag service of that kind. What the plan reads is put where it looks, and what it writes is
taken from where its body template says. Guards are real: If-Match against the ETag (412) and the version
in the body (409), whichever the plan uses; without one the last write wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from cockpit.practice.faults import FORBIDDEN, FaultName
from cockpit.practice.flags import Author, Environment, FlagStore
from cockpit.practice.json_patch import Refusal
from cockpit.practice.tokens import PERSON_PREFIX, TokenKind, kind_of
from cockpit.practice.world import World

Settings = Mapping[str, Any]
_UNITS: Final = {"percent": 100, "fraction": 1, "basis_points": 10_000}
_MISSING: Final = object()
_PROJECT: Final = "default"


class Endpoint:
    """One flag service."""

    def __init__(self, world: World, settings: Settings, *, environment: str = "production") -> None:
        self._world = world
        self._settings = settings
        self._environment = environment
        self._everybody = _UNITS[settings["unit"]]

    def routes(self) -> list[Route]:
        read, listed = self._settings["read"], self._settings.get("read_all")
        found = [Route(_path(read), self.read, methods=["GET"])]
        if listed:
            found.insert(0, Route(_path(listed), self.read_all, methods=["GET"]))
        if self._settings.get("rights"):
            found.insert(0, Route(_path(self._settings["rights"]), self.rights, methods=["GET"]))
        for name, handler in (("write", self.write), ("kill", self.kill)):
            where = self._settings.get(name)
            if where:
                found.append(Route(_path(where), handler, methods=[where["method"]]))
        return found

    async def read(self, request: Request) -> Response:
        refused = self._unwelcome(request, writes=False)
        if refused is not None:
            return refused
        with self._world.lock:
            self._world.settle()
            try:
                document = self._document(request.path_params["key"])
            except Refusal as refusal:
                return _no(refusal)
            return JSONResponse(document, headers={"ETag": self._etag(request.path_params["key"])})

    async def read_all(self, request: Request) -> Response:
        refused = self._unwelcome(request, writes=False)
        if refused is not None:
            return refused
        where = self._settings["read_all"]
        with self._world.lock:
            self._world.settle()
            kept = [key for key, each in self._world.flags.features.items() if each.project == _PROJECT]
            flags = {key: self._document(key) for key in kept}
        if where["key"] is None:
            return JSONResponse(put({}, where["flags"], flags))
        named = [put(document, where["key"], key) for key, document in flags.items()]
        return JSONResponse(put({}, where["flags"], named))

    async def rights(self, request: Request) -> Response:
        refused = self._unwelcome(request, writes=False)
        if refused is not None:
            return refused
        where = self._settings["rights"]
        writes = self._unwelcome(request, writes=True) is None
        held = writes if where["needs"] is None else [where["needs"]] if writes else []
        return JSONResponse(put({}, where["at"], held))

    async def write(self, request: Request) -> Response:
        return await self._changed(request, self._settings["write"], guarded=True)

    async def kill(self, request: Request) -> Response:
        return await self._changed(request, self._settings["kill"], guarded=False)

    async def _changed(self, request: Request, where: Settings, *, guarded: bool) -> Response:
        refused = self._unwelcome(request, writes=True)
        if refused is not None:
            return refused
        body, key = await _json(request), request.path_params["key"]
        with self._world.lock:
            try:
                stale = self._stale(request, body, key) if guarded else None
                if stale is None:
                    self._apply(request, where, body, key)
                return stale or JSONResponse(self._document(key), headers={"ETag": self._etag(key)})
            except Refusal as refusal:
                return _no(refusal)

    def _stale(self, request: Request, body: object, key: str) -> Response | None:
        self._world.settle()
        match = request.headers.get("if-match")
        if match not in (None, "*", self._etag(key)):
            return JSONResponse({"message": "the flag is not what it was"}, 412)
        version = taken(self._settings["write"]["body"], body, "{revision}")
        if version is not _MISSING and version != self._version(key):
            return JSONResponse({"message": "another version"}, 409)
        return None

    def _apply(self, request: Request, where: Settings, body: object, key: str) -> None:
        """Raises `Refusal` for what no flag can be set to."""
        percent, on = taken(where["body"], body, "{percent}"), taken(where["body"], body, "{on}")
        if where is self._settings.get("kill"):
            on = False
        for wrong in (
            on is not _MISSING and not isinstance(on, bool),
            percent is not _MISSING and (isinstance(percent, bool) or not isinstance(percent, int | float)),
        ):
            if wrong:
                raise Refusal(422, "BadData", "that is no setting")
        author = _author(request)

        def change(store: FlagStore, at: datetime) -> None:
            target = (_PROJECT, key, self._environment)
            if percent is not _MISSING:
                stored = f"{round(percent * 100 / self._everybody, 4):g}"
                patch = [{"op": "replace", "path": "/parameters/rollout", "value": stored}]
                strategy = store.environment(*target).strategies[0].id
                store.patch_strategy(*target, strategy, patch, author, at)
            if on is not _MISSING:
                store.switch(*target, on, author, at)

        if self._world.active(FaultName.FLAG_SERVICE_LIES):
            change(self._world.flags.copy(), self._world.now())
        else:
            self._world.write(change, [key])

    def _document(self, key: str) -> dict[str, Any]:
        """Raises `Refusal` (404)."""
        read = self._settings["read"]
        stored = self._stored(key)
        percent = float(stored.strategies[0].parameters["rollout"]) * self._everybody / 100
        last = self._events(key)[-1]
        values = {
            "percent": int(percent) if percent == int(percent) else round(percent, 6),
            "on": stored.enabled,
            "revision": self._version(key),
            "changed_by": last["createdBy"],
            "changed_at": last["createdAt"],
            "key": key,
        }
        document: dict[str, Any] = {}
        for pointer, expected in read["expect"].items():
            document = put(document, pointer, expected)
        for name, value in values.items():
            if read[name] is not None:
                document = put(document, read[name], value)
        return document

    def _stored(self, key: str) -> Environment:
        return self._world.flags.environment(_PROJECT, key, self._environment)

    def _events(self, key: str) -> list[dict[str, Any]]:
        return [event for event in self._world.flags.events if event["featureName"] == key]

    def _version(self, key: str) -> int:
        self._stored(key)
        return len(self._events(key))

    def _etag(self, key: str) -> str:
        return f'"{self._version(key)}"'

    def _unwelcome(self, request: Request, *, writes: bool) -> Response | None:
        kind = kind_of(_token(request))
        if kind not in (TokenKind.ADMIN, TokenKind.VIEWER):
            return JSONResponse({"message": "who are you?"}, 401)
        refuses = self._world.active(FaultName.FLAG_SERVICE_REFUSES_WRITES)
        if writes and refuses is not None and refuses.kind != FORBIDDEN:
            return JSONResponse({"message": "no writes now"}, 503)
        if writes and (kind is TokenKind.VIEWER or refuses is not None):
            return JSONResponse({"message": "this token may only read"}, 403)
        return None


def put(document: Any, pointer: str, value: Any) -> Any:
    """A document of objects that has `value` at the pointer; what was there on the way stays."""
    if pointer == "":
        return value
    first, _, rest = pointer[1:].partition("/")
    name = first.replace("~1", "/").replace("~0", "~")
    inner = document.get(name) if isinstance(document, dict) else None
    kept = document if isinstance(document, dict) else {}
    return {**kept, name: put(inner, f"/{rest}" if rest else "", value)}


def taken(template: Any, body: Any, placeholder: str) -> Any:
    """What the body has where the template has the placeholder; `_MISSING` where it has none."""
    if template == placeholder:
        return body
    if isinstance(template, Mapping) and isinstance(body, dict):
        found = [taken(each, body[name], placeholder) for name, each in template.items() if name in body]
    elif isinstance(template, list | tuple) and isinstance(body, list):
        found = [taken(each, inner, placeholder) for each, inner in zip(template, body, strict=False)]
    else:
        found = []
    return next((each for each in found if each is not _MISSING), _MISSING)


def http_json_app(world: World, services: Mapping[str, Settings]) -> Starlette:
    """One mount per service, by its name in the plan."""
    mounts = [Mount(f"/{name}", routes=Endpoint(world, each).routes()) for name, each in services.items()]
    return Starlette(routes=mounts)


def _path(where: Settings) -> str:
    return str(where["path"]).partition("?")[0]


def _token(request: Request) -> str:
    header = request.headers.get("authorization", "")
    bare = header.removeprefix("Bearer ")
    return bare or next((value for value in request.headers.values() if kind_of(value)), "")


def _author(request: Request) -> Author:
    token = _token(request)
    if token.startswith(PERSON_PREFIX):
        return Author(name=token.removeprefix(PERSON_PREFIX), user_id=7)
    return Author()


async def _json(request: Request) -> object:
    try:
        return json.loads(await request.body())
    except ValueError:
        return None


def _no(refusal: Refusal) -> Response:
    return JSONResponse({"message": str(refusal)}, refusal.status)
