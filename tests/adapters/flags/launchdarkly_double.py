"""A double of LaunchDarkly's REST API, built from its documentation alone and never held against the service.

Every answer says where it comes from: "client" is the vendor's Python client (docs/FeatureFlagsApi.md,
docs/AuditLogApi.md, docs/FeatureFlagConfig.md), "known" is common knowledge that nobody read up for this,
"unknown" is a choice that the documentation leaves open.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.adapters.probes.scripted import Reply, Request, as_json

PROJECT, ENVIRONMENT = "chat", "production"
READER, WRITER = "api-reader-5f0c", "api-writer-91be"
_SEMANTIC = "domain-model=launchdarkly.semanticpatch"


@dataclass(slots=True)
class LaunchDarklyDouble:
    """approvals: direct writes are refused with 405. reset_ms: while set, every answer is a 429. told: what
    the service tells of a token, by the token; a field that is not there is not told."""

    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    audit: list[dict[str, Any]] = field(default_factory=list)
    approvals: bool = False
    reset_ms: int | None = None
    told: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {READER: _token("reader"), WRITER: _token("writer")}
    )

    def add(self, key: str, weight: int, *, on: bool = True, **more: object) -> None:
        """A boolean flag with a rollout. From the client: a GET names variations by index."""
        rollout = {"contextKind": "user", "bucketBy": "key", "variations": _shares(weight)}
        place = {
            "on": on,
            "archived": False,
            "version": 1,
            "lastModified": 1_760_000_000_000,
            "salt": "c0ffee",
            "offVariation": 1,
            "targets": [],
            "contextTargets": [],
            "rules": [],
            "prerequisites": [],
            "fallthrough": {"rollout": rollout},
            **more,
        }
        self.flags[key] = {
            "key": key,
            "kind": "boolean",
            "version": 1,
            "archived": False,
            "variations": [{"_id": "var-on", "value": True}, {"_id": "var-off", "value": False}],
            "environments": {ENVIRONMENT: place},
        }

    def place(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.flags[key]["environments"][ENVIRONMENT]
        return found

    def store(self, key: str, weight: int, *, who: str) -> None:
        """Somebody else, in the browser."""
        self.place(key)["fallthrough"]["rollout"]["variations"] = _shares(weight)
        self._changed(key, {"member": {"email": who}})

    def answer(self, request: Request) -> Reply:
        """401 for a token that is unknown, 403 for one that may not. From the client: the code and message
        of an error; known: the status for a reader that writes."""
        if self.reset_ms is not None:
            return as_json(
                {"code": "rate_limited", "message": "Rate limit exceeded."},
                429,
                x_ratelimit_reset=str(self.reset_ms),
                date="Wed, 25 Nov 2026 12:00:00 GMT",
            )
        if request.headers.get("authorization") not in (READER, WRITER):
            return _no(401, "unauthorized", "invalid access token")
        url = urlsplit(request.path)
        if url.path == "/api/v2/auditlog":
            return self._auditlog(parse_qs(url.query))
        told = self._about(url.path, self.told[request.headers["authorization"]])
        if told is not None:
            return told
        parts = url.path.removeprefix("/api/v2/flags/").split("/")
        if len(parts) != 2 or parts[0] != PROJECT or parts[1] not in self.flags:
            return _no(404, "not_found", "Unknown flag key or project key")
        if request.method == "GET":
            return self._read(parts[1], parse_qs(url.query).get("env", []))
        if request.headers["authorization"] != WRITER:
            return _no(403, "forbidden", "Access to the requested resource was denied")
        if self.approvals:
            return _no(405, "method_not_allowed", "approval is required")
        return self._write(parts[1], request)

    def _about(self, path: str, token: dict[str, Any]) -> Reply | None:
        """From the client: who calls, a token by its id, an environment with its approval settings; nearly
        every field is optional. Documentation of the access tokens: a token may see itself."""
        if path == "/api/v2/caller-identity":
            return as_json({"authKind": "token", "tokenKind": "auth", "tokenId": token.get("_id")})
        if path == f"/api/v2/tokens/{token.get('_id')}":
            return as_json(token)
        if path == f"/api/v2/projects/{PROJECT}/environments/{ENVIRONMENT}":
            settings = {"required": self.approvals, "minNumApprovals": 1, "requiredApprovalTags": []}
            return as_json({"key": ENVIRONMENT, "approvalSettings": settings})
        return None

    def _read(self, key: str, environments: list[str]) -> Reply:
        """From the client: `env` narrows the answer. Unknown: an environment that is not there; here it is
        left out."""
        flag = copy.deepcopy(self.flags[key])
        flag["environments"] = {
            name: place for name, place in flag["environments"].items() if name in environments
        }
        return as_json(flag)

    def _write(self, key: str, request: Request) -> Reply:
        """From the client: instructions without the domain model are a JSON Patch and a 400; a semantic
        patch that changes nothing is a success."""
        body = json.loads(request.body)
        if _SEMANTIC in request.headers["content-type"]:
            if body["environmentKey"] != ENVIRONMENT:
                return _no(404, "not_found", "Unknown environment key")
            if [each["kind"] for each in body["instructions"]] != ["turnFlagOff"]:
                return _no(400, "invalid_request", "unknown instruction")
            if self.place(key)["on"]:
                self.place(key)["on"] = False
                self._changed(key, {"token": {"name": "cockpit"}})
            return as_json(self.flags[key])
        patch = body.get("patch") if isinstance(body, dict) else body
        return self._patch(key, patch) if patch else _no(400, "invalid_request", "not a JSON patch")

    def _patch(self, key: str, patch: list[Any]) -> Reply:
        """From the client: all or nothing. Unknown: the status of a failed test; here 409. Known: weights
        that do not add up to 100000 are a 400."""
        after = copy.deepcopy(self.flags[key])
        if not all(_applied(after, operation) for operation in patch):
            return _no(409, "conflict", "the patch could not be applied")
        rule = after["environments"][ENVIRONMENT]["fallthrough"]
        if "rollout" in rule and sum(each["weight"] for each in rule["rollout"]["variations"]) != 100_000:
            return _no(400, "invalid_request", "weights must sum to 100000")
        self.flags[key] = after
        self._changed(key, {"token": {"name": "cockpit"}})
        return as_json(self.flags[key])

    def _changed(self, key: str, author: dict[str, Any]) -> None:
        """From the client: one version for the flag, one for each environment; the audit log names a member
        or a token."""
        self.flags[key]["version"] += 1
        self.place(key)["version"] += 1
        self.place(key)["lastModified"] += 1000
        place = f"proj/{PROJECT}:env/{ENVIRONMENT}:flag/{key}"
        self.audit.insert(0, {"kind": "flag", "spec": place, "date": 1, **author})

    def _auditlog(self, query: dict[str, list[str]]) -> Reply:
        """From the client: newest first, 1 to 20 items, narrowed by `spec`."""
        if not 1 <= int(query["limit"][0]) <= 20:
            return _no(400, "invalid_request", "limit must be between 1 and 20")
        found = [entry for entry in self.audit if entry["spec"] == query["spec"][0]]
        return as_json({"items": found[: int(query["limit"][0])]})


def _applied(tree: dict[str, Any], operation: dict[str, Any]) -> bool:
    """`test` and `replace` on objects, which is all that may be asked of this double."""
    *parents, last = operation["path"].lstrip("/").split("/")
    holder = tree
    for name in parents:
        holder = holder[name]
    if operation["op"] == "test":
        return bool(holder[last] == operation["value"])
    assert operation["op"] == "replace"
    assert last in holder
    holder[last] = operation["value"]
    return True


def _token(role: str) -> dict[str, Any]:
    return {"_id": f"id-of-{role}", "role": role, "customRoleIds": [], "inlineRole": [], "serviceToken": True}


def _shares(weight: int) -> list[dict[str, int]]:
    return [{"variation": 0, "weight": weight}, {"variation": 1, "weight": 100_000 - weight}]


def _no(status: int, code: str, message: str) -> Reply:
    return as_json({"code": code, "message": message, "id": "5f0c-91be"}, status)
