"""Unleash's API as it is, past our adapter: what other people and SDKs do to flags in the tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import httpx

ENVIRONMENT = "production"
PROJECT = "/api/admin/projects/default"
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """person writes under the name `person_name`; viewer may only read; backend belongs to SDKs."""

    admin: str
    person: str
    person_name: str
    viewer: str
    backend: str
    wrong: str = "*:*.no-such-token"


@dataclass(frozen=True, slots=True)
class RawUnleash:
    """One Unleash server, real or practice. Flag names are never used twice."""

    url: str
    tokens: Tokens
    admin: httpx.Client
    _numbers: Iterator[int] = field(default=_NUMBERS)

    def flag(
        self, rollout: str | None = "0", *, on: bool = True, description: str = "", **strategy: object
    ) -> str:
        """A new flag; without `rollout` it has no strategy in production (and `on` would add one)."""
        name = f"convex_flag_{next(self._numbers)}"
        self.call("POST", "/features", {"name": name, "type": "release", "description": description})
        if rollout is not None:
            self.add_strategy(name, rollout, **strategy)
        if on:
            self.switch(name, on=True)
        return name

    def add_strategy(self, flag: str, rollout: str, **more: object) -> str:
        """A flexibleRollout in production; returns its id."""
        parameters = {"rollout": rollout, "stickiness": "userId", "groupId": flag}
        body = {"name": "flexibleRollout", "parameters": parameters, **more}
        return str(self.call("POST", f"{_here(flag)}/strategies", body)["id"])

    def remove_strategies(self, flag: str) -> None:
        for strategy in self.strategies(flag):
            self.call("DELETE", f"{_here(flag)}/strategies/{strategy['id']}")

    def store_rollout(self, flag: str, raw: str, *, token: str | None = None) -> None:
        """Change the stored percentage as any other client may, without validation."""
        path = f"{_here(flag)}/strategies/{self.strategies(flag)[0]['id']}"
        change = {"op": "replace", "path": "/parameters/rollout", "value": raw}
        self.call("PATCH", path, [change], token=token)

    def switch(self, flag: str, *, on: bool, token: str | None = None) -> None:
        self.call("POST", f"{_here(flag)}/{'on' if on else 'off'}", token=token)

    def is_on(self, flag: str) -> bool:
        return bool(self.call("GET", _here(flag))["enabled"])

    def strategies(self, flag: str) -> list[dict[str, object]]:
        found = self.call("GET", _here(flag))["strategies"]
        assert isinstance(found, list)
        return found

    def rollouts(self, flag: str) -> list[object]:
        """The stored percentage of every strategy."""
        return [_parameters(strategy).get("rollout") for strategy in self.strategies(flag)]

    def event_types(self, flag: str) -> list[object]:
        """What happened to the flag in production, oldest first."""
        query = {"feature": f"IS:{flag}", "environment": f"IS:{ENVIRONMENT}"}
        answer = self.admin.get("/api/admin/search/events", params=query)
        answer.raise_for_status()
        return [event["type"] for event in reversed(answer.json()["events"])]

    def maintenance(self, *, on: bool) -> None:
        """Set until it is in force: Unleash remembers the mode for a minute, and forgets it *before* it
        writes the new one, so that whoever asks in between has the old one remembered."""
        for _ in range(20):
            self.admin.post("/api/admin/maintenance", json={"enabled": on}).raise_for_status()
            seen = self.admin.get("/api/admin/ui-config")
            if seen.raise_for_status().json()["maintenanceMode"] is on:
                return
        raise AssertionError(f"the maintenance mode of Unleash did not become {on}")

    def served(self) -> dict[str, bool]:
        """What an SDK in production is told: flag name to switch."""
        answer = self.admin.get("/api/client/features", headers={"Authorization": self.tokens.backend})
        answer.raise_for_status()
        return {feature["name"]: feature["enabled"] for feature in answer.json()["features"]}

    def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> dict[str, object]:
        """One raw call below the project; the JSON answer, {} for an empty one."""
        headers = {} if token is None else {"Authorization": token}
        answer = self.admin.request(method, PROJECT + path, json=body, headers=headers)
        answer.raise_for_status()
        parsed: dict[str, object] = answer.json() if answer.content else {}
        return parsed


def _here(flag: str) -> str:
    return f"/features/{flag}/environments/{ENVIRONMENT}"


def _parameters(strategy: Mapping[str, object]) -> Mapping[str, object]:
    found = strategy["parameters"]
    assert isinstance(found, dict)
    return found
