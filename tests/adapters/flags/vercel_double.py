"""A double of Vercel's REST API for variables, deployments and Edge Configs; never held against Vercel.

Every answer says where it comes from: "sdk" is the vendor's SDK (docs of projects, deployments), "docs" its
documentation, "known" is common knowledge that nobody read up for this, "unknown" is a choice left open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.adapters.probes.scripted import Reply, Request, as_json

PROJECT, EDGE, TEAM = "chat", "ecfg_5f0c", "team_91be"
READER, WRITER = "vercel-reader-5f0c", "vercel-writer-91be"


@dataclass(slots=True)
class VercelDouble:
    """slow: builds do not end by themselves. closed: no deployment is taken. Time is a counter."""

    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    items: dict[str, Any] = field(default_factory=dict)
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    serving: str = ""
    slow: bool = False
    closed: bool = False
    writes: dict[str, int] = field(default_factory=dict)
    clock_ms: int = 1_760_000_000_000

    def __post_init__(self) -> None:
        self.deploy()

    def tick(self) -> int:
        self.clock_ms += 1000
        return self.clock_ms

    def add(self, key: str, value: str, *, target: object = ("production",), kind: str = "encrypted") -> None:
        """A variable that production was built with."""
        self.store(key, value, target=target, kind=kind)
        self.deploy()

    def store(
        self, key: str, value: str, *, target: object = ("production",), kind: str = "encrypted"
    ) -> None:
        """Sdk: the fields of a variable; known: its times in milliseconds."""
        number = f"env_{key}"
        self.variables[number] = {
            "id": number,
            "key": key,
            "value": value,
            "type": kind,
            "target": list(target) if isinstance(target, tuple) else target,
            "updatedAt": self.tick(),
        }
        self.writes[key] = self.writes.get(key, 0) + 1

    def deploy(self) -> dict[str, Any]:
        """A build with the variables as they are; unless builds are slow it serves production at once."""
        number = f"dpl_{len(self.deployments)}"
        began = self.tick()
        self.deployments[number] = {
            "id": number,
            "name": PROJECT,
            "createdAt": began,
            "buildingAt": began,
            "readyState": "BUILDING" if self.slow else "READY",
            "readyAt": None if self.slow else began + 83_000,
        }
        if not self.slow:
            self.serving = number
        return self.deployments[number]

    def by_key(self, key: str) -> dict[str, Any]:
        return self.variables[f"env_{key}"]

    def answer(self, request: Request) -> Reply:
        """Known: 403 for a token that is unknown and for one that may not, and the envelope of an error."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        url = urlsplit(request.path)
        if token not in (READER, WRITER) or parse_qs(url.query).get("teamId") != [TEAM]:
            return _no(403, "forbidden", "Not authorized")
        if request.method != "GET" and token != WRITER:
            return _no(403, "forbidden", "You don't have permission")
        body = json.loads(request.body) if request.body else {}
        parts = url.path.strip("/").split("/")
        match [request.method, *parts]:
            case ["GET", "v10", "projects", name, "env"] if name == PROJECT:
                return self._list()
            case ["GET", "v9", "projects", name] if name == PROJECT:
                return self._project()
            case ["GET", "v1", "projects", name, "env", number] if number in self.variables:
                return self._variable(number)
            case ["PATCH", "v9", "projects", name, "env", number] if number in self.variables:
                return self._set(number, body)
            case ["POST", "v13", "deployments"]:
                return self._create(body)
            case ["GET", "v13", "deployments", number] if number in self.deployments:
                return as_json(self.deployments[number])
            case ["POST", "v1", "projects", name, "rollback", number]:
                return self._rollback(number)
            case ["GET", "v1", "edge-config", config, "item", key] if config == EDGE and key in self.items:
                return as_json({"key": key, "value": self.items[key], "edgeConfigId": EDGE})
            case ["PATCH", "v1", "edge-config", config, "items"] if config == EDGE:
                return self._upsert(body)
        return _no(404, "not_found", "Not Found")

    def _list(self) -> Reply:
        """Sdk: ids, keys and targets; known: values are encrypted in this list."""
        return as_json({"envs": [{**each, "value": "eyJ2IjoidjIi"} for each in self.variables.values()]})

    def _project(self) -> Reply:
        """Known: what serves production stands under targets."""
        return as_json({"name": PROJECT, "targets": {"production": self.deployments[self.serving]}})

    def _variable(self, number: str) -> Reply:
        """Sdk: one variable with its value; docs: the value of a sensitive one is withheld."""
        found = dict(self.variables[number])
        if found["type"] == "sensitive":
            del found["value"]
        return as_json(found)

    def _set(self, number: str, body: dict[str, Any]) -> Reply:
        """Docs: a change does nothing to deployments that exist."""
        found = self.variables[number]
        self.store(found["key"], body["value"], target=found["target"], kind=found["type"])
        return as_json(self.variables[number])

    def _create(self, body: dict[str, Any]) -> Reply:
        """Known: a deployment id in the body builds that one again, with the variables of now."""
        if self.closed:
            return _no(402, "payment_required", "Resource is limited")
        assert body["target"] == "production"
        assert body["deploymentId"] in self.deployments
        return as_json(self.deploy())

    def _rollback(self, number: str) -> Reply:
        """Docs: 201, and all production domains point there."""
        if number not in self.deployments:
            return _no(404, "not_found", "Deployment not found")
        self.serving = number
        return as_json({}, 201)

    def _upsert(self, body: dict[str, Any]) -> Reply:
        """Docs: several operations in one request, {"status":"ok"}; nothing guards them."""
        for each in body["items"]:
            assert each["operation"] == "upsert"
            self.items[each["key"]] = each["value"]
            self.writes[each["key"]] = self.writes.get(each["key"], 0) + 1
        return as_json({"status": "ok"})


def _no(status: int, code: str, message: str) -> Reply:
    return as_json({"error": {"code": code, "message": message}}, status)
