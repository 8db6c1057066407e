"""A double of PostHog's management API, built from its source as described and never held against it.

Every answer says where it comes from: "source" is PostHog's own (the feature flag views, their tests, the
rate limits), "known" is common knowledge that nobody read up for this, "unknown" is a choice that was
left open.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.adapters.probes.scripted import Reply, Request, as_json

PROJECT = 7
READER, WRITER = "phx_reader-5f0c", "phx_writer-91be"


@dataclass(slots=True)
class PostHogDouble:
    """old: a build without the rollout action, where a key cannot read itself. approvals: writes open a
    change request. needed: keys of flags that an active flag depends on. scopes: by the key."""

    flags: dict[int, dict[str, Any]] = field(default_factory=dict)
    activity: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    old: bool = False
    approvals: bool = False
    needed: set[str] = field(default_factory=set)
    scopes: dict[str, list[str]] = field(
        default_factory=lambda: {READER: ["feature_flag:read"], WRITER: ["feature_flag:write"]}
    )
    trail: list[str] = field(default_factory=list)

    def add(self, key: str, percent: float, *, on: bool = True, **more: Any) -> int:
        """Source: the fields of a flag. There are no environments."""
        number = 800 + len(self.flags)
        group = {"properties": [], "rollout_percentage": percent, "aggregation_group_type_index": None}
        filters: dict[str, Any] = {
            "groups": [group],
            "multivariate": None,
            "payloads": {},
            "aggregation_group_type_index": None,
        }
        self.flags[number] = {
            "id": number,
            "key": key,
            "name": "",
            "active": on,
            "deleted": False,
            "version": 6,
            "filters": {**filters, **more},
            "ensure_experience_continuity": False,
        }
        self.activity[number] = []
        return number

    def by_key(self, key: str) -> dict[str, Any]:
        return next(flag for flag in self.flags.values() if flag["key"] == key)

    def store(self, key: str, percent: float, *, who: str) -> None:
        """Somebody else, in the browser."""
        flag = self.by_key(key)
        flag["filters"]["groups"][0]["rollout_percentage"] = percent
        self._changed(flag, who)

    def answer(self, request: Request) -> Reply:
        """Source: 403 for a missing scope, 404; known: 401 for a key that is unknown."""
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key not in (READER, WRITER):
            return _no(401, "authentication_failed", "Invalid personal API key.")
        url = urlsplit(request.path)
        if url.path == "/api/personal_api_keys/@current/" and not self.old:
            return self._key(key)
        parts = url.path.removeprefix(f"/api/projects/{PROJECT}/feature_flags/").strip("/").split("/")
        if not url.path.startswith(f"/api/projects/{PROJECT}/"):
            return _no(404, "not_found", "Project not found.")
        if request.method == "GET" and parts == [""]:
            return self._search(parse_qs(url.query)["search"][0])
        flag = self.flags.get(int(parts[0]))
        if flag is None:
            return _no(404, "not_found", "Not found.")
        if request.method == "GET":
            return as_json({"results": self.activity[flag["id"]]} if parts[1:] == ["activity"] else flag)
        if key != WRITER:
            return _no(403, "permission_denied", "API key missing required scope 'feature_flag:write'")
        self.trail.append(f"{request.method} {'/'.join(parts[1:])}".strip())
        body = json.loads(request.body)
        if self.approvals:
            return self._change_request()
        return self._action(flag, parts[1], body) if request.method == "POST" else self._patch(flag, body)

    def _key(self, key: str) -> Reply:
        """Source: a key may retrieve itself; its value is never in the answer."""
        told = {"id": "5f0c", "label": "cockpit", "value": None, "mask_value": "phx_...91be"}
        return as_json({**told, "scopes": self.scopes[key], "scoped_teams": [], "scoped_organizations": []})

    def _search(self, text: str) -> Reply:
        """Known: a page of the web framework; a search finds parts of keys, too."""
        found = [flag for flag in self.flags.values() if text in flag["key"]]
        return as_json({"count": len(found), "next": None, "previous": None, "results": found})

    def _action(self, flag: dict[str, Any], act: str, body: dict[str, Any]) -> Reply:
        """Source: 409 for a stale version; 400 out of range; the version grows only when something changed.
        Older builds: 404."""
        if self.old or act != "set_release_condition_rollout":
            return _no(404, "not_found", "Not found.")
        if body["version"] != flag["version"]:
            return _no(409, "conflict", f"The feature flag was changed since version {body['version']}.")
        if not 0 <= body["rollout_percentage"] <= 100 or body["condition_index"] != 0:
            return _no(400, "invalid_input", "out of range")
        group = flag["filters"]["groups"][0]
        if group["rollout_percentage"] != body["rollout_percentage"]:
            group["rollout_percentage"] = body["rollout_percentage"]
            self._changed(flag, "cockpit@example.org")
        return as_json(flag)

    def _patch(self, flag: dict[str, Any], body: dict[str, Any]) -> Reply:
        """Source: a version without the original flag guards nothing; with it, a field that somebody else
        changed is a 409 naming the last editor. Filters are replaced whole. Partly read: a flag that
        others depend on is not switched off (400)."""
        wanted: dict[str, Any] = {name: body[name] for name in ("active", "filters") if name in body}
        original = body.get("original_flag")
        stale = body.get("version") != flag["version"]
        if original is not None and stale and any(original[name] != flag[name] for name in wanted):
            return _no(409, "conflict", "The flag was updated by ada@example.org since you started.")
        if wanted.get("active") is False and flag["active"] and flag["key"] in self.needed:
            return _no(400, "invalid_input", "Cannot disable: other flags depend on it.")
        if any(flag[name] != value for name, value in wanted.items()):
            flag.update(copy.deepcopy(wanted))
            self._changed(flag, "cockpit@example.org")
        return as_json(flag)

    def _change_request(self) -> Reply:
        """Source: 409 with another body than a conflict. Unknown: its fields."""
        return as_json({"status": "change_request_created", "change_request_id": "5f0c"}, 409)

    def _changed(self, flag: dict[str, Any], who: str) -> None:
        """Source: entries of the activity name a user; known: their names of fields."""
        flag["version"] += 1
        entry = {"user": {"email": who}, "activity": "updated", "created_at": "2026-11-25T20:00:00Z"}
        self.activity[flag["id"]].insert(0, entry)


def _no(status: int, code: str, detail: str) -> Reply:
    return as_json({"type": "validation_error", "code": code, "detail": detail, "attr": None}, status)
