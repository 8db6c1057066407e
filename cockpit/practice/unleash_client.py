"""Unleash's client and frontend APIs: what SDKs see, a second behind the admin API.

ETags and 304 as recorded; who is enabled is decided with the real hash (murmur3 of `groupId:userId`).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cockpit.practice import unleash_shapes as shapes
from cockpit.practice.json_patch import Json
from cockpit.practice.tokens import TokenKind, kind_of
from cockpit.practice.world import World

_QUERY_HASH: Final = "9e6ab8a8"
_LIMITS: Final = {"ratelimit-policy": "20000;w=60", "ratelimit-limit": "20000"}


class Published:
    """What the SDK side of the server knows: it looks for a new revision once a second."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._revisions: deque[tuple[float, int, list[Json]]] = deque(maxlen=64)

    def current(self) -> tuple[int, list[Json]]:
        """Revision and features as of the last full second."""
        world = self._world
        with world.lock:
            now_s = world.settle()
            if not self._revisions or self._revisions[-1][1] != world.flags.revision:
                changed_s = now_s if self._revisions else float("-inf")
                self._revisions.append((changed_s, world.flags.revision, self._features()))
            seen = [each for each in self._revisions if each[0] <= float(int(now_s))]
            _, revision, features = (seen or list(self._revisions))[-1 if seen else 0]
            return revision, features

    def _features(self) -> list[Json]:
        features = []
        for feature in self._world.flags.features.values():
            seed = self._world.seeds.get(feature.name)
            environment = feature.environments["production" if seed is None else seed.environment]
            features.append(shapes.client_feature(feature, environment))
        return features


class ClientApi:
    def __init__(self, world: World) -> None:
        self._published = Published(world)
        self._errors = 0

    def routes(self) -> list[Route]:
        return [
            Route("/api/client/features", self.features),
            Route("/api/client/register", self.accepted, methods=["POST"]),
            Route("/api/client/metrics", self.accepted, methods=["POST"]),
            Route("/api/client/{rest:path}", self.unknown),
            Route("/api/frontend", self.frontend),
        ]

    async def features(self, request: Request) -> Response:
        refused = _unwelcome(request, TokenKind.CLIENT)
        if refused is not None:
            return refused
        revision, features = self._published.current()
        etag = f'"{_QUERY_HASH}:{revision}:v1"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304)
        query = {"project": ["default"], "environment": "production", "inlineSegmentConstraints": True}
        meta = {"revisionId": revision, "etag": etag, "queryHash": _QUERY_HASH}
        body = {"version": 2, "features": features, "query": query, "meta": meta}
        return JSONResponse(body, headers=_LIMITS | {"etag": etag})

    async def accepted(self, request: Request) -> Response:
        """Registration and metrics are taken whatever is in them."""
        return _unwelcome(request, TokenKind.CLIENT) or Response(status_code=202)

    async def unknown(self, request: Request) -> Response:
        self._errors += 1
        return _unwelcome(request, TokenKind.CLIENT) or JSONResponse(
            shapes.not_available(request.url.path, self._errors), 404
        )

    async def frontend(self, request: Request) -> Response:
        """Only what is enabled for this user."""
        refused = _unwelcome(request, TokenKind.FRONTEND)
        if refused is not None:
            return refused
        user = request.query_params.get("userId", "")
        _, features = self._published.current()
        variant = {"name": "disabled", "enabled": False, "feature_enabled": True, "featureEnabled": True}
        toggles = [
            {"name": each["name"], "enabled": True, "variant": variant, "impressionData": False}
            for each in features
            if each["enabled"] and any(_serves(strategy, user) for strategy in each["strategies"])
        ]
        return JSONResponse({"toggles": toggles}, headers=_LIMITS | {"cache-control": "no-cache"})


def _unwelcome(request: Request, wanted: TokenKind) -> Response | None:
    kind = kind_of(request.headers.get("authorization", ""))
    if kind is wanted:
        return None
    if kind is not None:
        return JSONResponse(shapes.WRONG_TOKEN_TYPE, 403)
    return JSONResponse(shapes.NEEDS_TOKEN, 401)


def _serves(strategy: Json, user: str) -> bool:
    if strategy["constraints"]:
        return False
    if strategy["name"] == "default":
        return True
    parameters = strategy["parameters"]
    try:
        rollout = float(parameters.get("rollout", "100"))
    except ValueError:
        return False
    return rollout > 0 and bucket(parameters.get("groupId", ""), user) <= rollout


def bucket(group: str, identity: str) -> int:
    """1 to 100, as every Unleash SDK computes it."""
    return murmur3_32(f"{group}:{identity}".encode()) % 100 + 1


def murmur3_32(key: bytes, seed: int = 0) -> int:
    """MurmurHash3, x86, 32 bits."""
    value, tail_at = seed, len(key) & ~3
    for start in range(0, tail_at, 4):
        value ^= _scramble(int.from_bytes(key[start : start + 4], "little"))
        value = (_rotated(value, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    if tail_at < len(key):
        value ^= _scramble(int.from_bytes(key[tail_at:], "little"))
    value ^= len(key)
    value = ((value ^ (value >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    value = ((value ^ (value >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return value ^ (value >> 16)


def _scramble(block: int) -> int:
    return (_rotated((block * 0xCC9E2D51) & 0xFFFFFFFF, 15) * 0x1B873593) & 0xFFFFFFFF


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & 0xFFFFFFFF


def client_routes(world: World) -> list[Route]:
    return ClientApi(world).routes()
