"""The flags of the practice world, with the rules of Unleash OSS 8.2 (as recorded from a real one).

State and rules only, no HTTP: what a write changes, which event it leaves behind and how it is
refused. The traps of the real service are kept on purpose: percentages are not validated, `on`
without a strategy adds one at 100 %, strategies are OR-ed, nothing guards against a stale write
except the `test` operation of JSON Patch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import field
from datetime import datetime
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.practice.json_patch import BAD_DATA, Json, Refusal, patched

TYPES: Final = {"production": "production", "development": "development"}
_NAME: Final = re.compile(r"[A-Za-z0-9._~-]{1,100}")
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who writes, as the audit log names them. API tokens all show as one admin with the id -42."""

    name: str = "admin"
    user_id: int = -42


@dataclass(slots=True, kw_only=True)
class Strategy:
    id: str
    name: str
    parameters: dict[str, str]
    constraints: list[Json] = field(default_factory=list)
    variants: list[Json] = field(default_factory=list)
    segments: list[Json] = field(default_factory=list)
    title: str | None = None
    disabled: bool = False
    sort_order: int = 0

    def tree(self) -> dict[str, Json]:
        """The document that a JSON Patch sees, and the answer to reading one strategy."""
        return {
            "id": self.id,
            "name": self.name,
            "constraints": deepcopy(self.constraints),
            "parameters": dict(sorted(self.parameters.items())),
            "variants": deepcopy(self.variants),
            "segments": deepcopy(self.segments),
            "title": self.title,
            "disabled": self.disabled,
            "sortOrder": self.sort_order,
        }

    def share(self) -> float:
        """The part of the crowd it serves, 0 to 1: whole percents of a hash; nonsense serves nobody.

        The simulated users carry no context, so a strategy with constraints or segments matches none.
        """
        if self.disabled or self.constraints or self.segments:
            return 0.0
        if self.name == "default":
            return 1.0
        rollout = self.parameters.get("rollout", "100")
        if not _NUMBER.fullmatch(rollout):
            return 0.0
        return min(100, max(0, int(float(rollout)))) / 100


@dataclass(slots=True, kw_only=True)
class Environment:
    name: str
    enabled: bool = False
    strategies: list[Strategy] = field(default_factory=list)

    @property
    def type(self) -> str:
        return TYPES.get(self.name, "test")

    def share(self) -> float:
        """Effective exposure, 0 to 1. Strategies are OR-ed: one bucketing with the same groupId."""
        if not self.enabled:
            return 0.0
        by_group: dict[str, float] = {}
        for strategy in self.strategies:
            group = strategy.parameters.get("groupId", "")
            by_group[group] = max(by_group.get(group, 0.0), strategy.share())
        unserved = 1.0
        for share in by_group.values():
            unserved *= 1.0 - share
        return 1.0 - unserved


@dataclass(slots=True, kw_only=True)
class Feature:
    name: str
    project: str
    type: str
    description: str | None
    created_at: datetime
    environments: dict[str, Environment]
    impression_data: bool = False


@dataclass(slots=True)
class FlagStore:
    """All features and their audit log. `changed` is called with a feature's name after each change."""

    project: str = "default"
    environment_names: tuple[str, ...] = ("development", "production")
    features: dict[str, Feature] = field(default_factory=dict)
    events: list[dict[str, Json]] = field(default_factory=list)
    revision: int = 0
    maintenance: bool = False
    changed: Callable[[str, datetime], None] = lambda name, at: None
    _ids: int = 0

    def copy(self) -> FlagStore:
        """A store of its own with the same content, whose changes nobody hears of."""
        return FlagStore(
            project=self.project,
            environment_names=self.environment_names,
            features=deepcopy(self.features),
            events=deepcopy(self.events),
            revision=self.revision,
            maintenance=self.maintenance,
            _ids=self._ids,
        )

    def feature(self, project: str, name: str) -> Feature:
        found = self.features.get(name)
        if found is None or found.project != project:
            raise Refusal(404, "NotFoundError", f'There\'s no feature named "{name}" in project "{project}".')
        return found

    def environment(self, project: str, name: str, environment: str) -> Environment:
        feature = self.feature(project, name)
        if environment not in feature.environments:
            raise Refusal(
                404, "NotFoundError", f"Could not find environment {environment} for feature: {name}"
            )
        return feature.environments[environment]

    def strategy(self, project: str, name: str, environment: str, strategy_id: str) -> Strategy:
        for strategy in self.environment(project, name, environment).strategies:
            if strategy.id == strategy_id:
                return strategy
        raise Refusal(404, "NotFoundError", f"Could not find strategy with id={strategy_id}")

    def create(self, project: str, body: Mapping[str, Json], author: Author, at: datetime) -> Feature:
        name = body.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refusal(
                400,
                "BadDataError",
                BAD_DATA,
                detail=f'"name" must be URL friendly. You provided "{name}".',
            )
        if name in self.features:
            raise Refusal(409, "NameExistsError", "A flag with that name already exists")
        feature = Feature(
            name=name,
            project=project,
            type=str(body.get("type", "release")),
            description=body.get("description"),
            created_at=at,
            environments={each: Environment(name=each) for each in self.environment_names},
            impression_data=bool(body.get("impressionData", False)),
        )
        self.features[name] = feature
        self._record("feature-created", feature, None, author, at)
        return feature

    def add_strategy(
        self,
        project: str,
        name: str,
        environment: str,
        body: Mapping[str, Json],
        author: Author,
        at: datetime,
    ) -> Strategy:
        """`flexibleRollout` without a rollout means 100 %: as careless as the real one."""
        target = self.environment(project, name, environment)
        strategy = Strategy(
            id=self._next_id(),
            name=str(body.get("name", "flexibleRollout")),
            parameters=_parameters(body.get("parameters"), group=name),
            constraints=list(body.get("constraints") or []),
            variants=list(body.get("variants") or []),
            segments=list(body.get("segments") or []),
            title=body.get("title"),
            disabled=bool(body.get("disabled", False)),
            sort_order=len(target.strategies),
        )
        target.strategies.append(strategy)
        feature = self.features[name]
        self._record("feature-strategy-add", feature, environment, author, at, data=strategy.tree())
        return strategy

    def put_strategy(
        self,
        project: str,
        name: str,
        environment: str,
        strategy_id: str,
        body: Mapping[str, Json],
        author: Author,
        at: datetime,
    ) -> Strategy:
        """Replaces: what is left out is lost, except title and disabled. Numbers become text."""
        strategy = self.strategy(project, name, environment, strategy_id)
        before = strategy.tree()
        strategy.parameters = _parameters(body.get("parameters"), group=name)
        strategy.constraints = list(body.get("constraints") or [])
        strategy.variants = list(body.get("variants") or [])
        strategy.segments = list(body.get("segments") or [])
        strategy.title = body.get("title", strategy.title)
        strategy.disabled = bool(body.get("disabled", strategy.disabled))
        self._updated(name, environment, strategy, before, author, at)
        return strategy

    def patch_strategy(
        self,
        project: str,
        name: str,
        environment: str,
        strategy_id: str,
        operations: Sequence[Json],
        author: Author,
        at: datetime,
    ) -> Strategy:
        """JSON Patch, all or nothing. A failed `test` is a 500 whose text names TEST_OPERATION_FAILED."""
        strategy = self.strategy(project, name, environment, strategy_id)
        before = strategy.tree()
        after = patched(before, operations)
        strategy.parameters = dict(after["parameters"])
        strategy.constraints, strategy.variants = after["constraints"], after["variants"]
        strategy.segments, strategy.title = after["segments"], after["title"]
        strategy.disabled = bool(after["disabled"])
        self._updated(name, environment, strategy, before, author, at)
        return strategy

    def delete_strategy(
        self, project: str, name: str, environment: str, strategy_id: str, author: Author, at: datetime
    ) -> None:
        strategy = self.strategy(project, name, environment, strategy_id)
        target = self.environment(project, name, environment)
        target.strategies.remove(strategy)
        feature = self.features[name]
        self._record("feature-strategy-remove", feature, environment, author, at, pre_data=strategy.tree())
        self._switch_off_if_empty(feature, target, author, at)

    def switch(
        self, project: str, name: str, environment: str, on: bool, author: Author, at: datetime
    ) -> None:
        """Idempotent, and silent when nothing changes. On without a strategy adds one at 100 %."""
        target = self.environment(project, name, environment)
        if on and not any(not strategy.disabled for strategy in target.strategies):
            everybody = {"name": "flexibleRollout", "parameters": {"rollout": "100", "stickiness": "default"}}
            self.add_strategy(project, name, environment, everybody, author, at)
        if target.enabled == on:
            return
        target.enabled = on
        kind = "feature-environment-enabled" if on else "feature-environment-disabled"
        self._record(kind, self.features[name], environment, author, at)

    def switch_many(
        self, project: str, names: Sequence[str], environment: str, on: bool, author: Author, at: datetime
    ) -> None:
        """All or nothing: one unknown name refuses the whole request."""
        for name in names:
            self.environment(project, name, environment)
        for name in names:
            self.switch(project, name, environment, on, author, at)

    def _updated(
        self,
        name: str,
        environment: str,
        strategy: Strategy,
        before: dict[str, Json],
        author: Author,
        at: datetime,
    ) -> None:
        feature = self.features[name]
        self._record(
            "feature-strategy-update", feature, environment, author, at, data=strategy.tree(), pre_data=before
        )
        self._switch_off_if_empty(feature, feature.environments[environment], author, at)

    def _switch_off_if_empty(
        self, feature: Feature, target: Environment, author: Author, at: datetime
    ) -> None:
        """Disabling or removing the last enabled strategy switches the environment off by itself."""
        if target.enabled and all(strategy.disabled for strategy in target.strategies):
            target.enabled = False
            self._record("feature-environment-disabled", feature, target.name, author, at)

    def _record(
        self,
        kind: str,
        feature: Feature,
        environment: str | None,
        author: Author,
        at: datetime,
        *,
        data: Json = None,
        pre_data: Json = None,
    ) -> None:
        self.revision += 1
        self.events.append(
            {
                "id": self.revision,
                "type": kind,
                "createdBy": author.name,
                "createdAt": instant(at),
                "createdByUserId": author.user_id,
                "data": data,
                "preData": pre_data,
                "tags": [],
                "featureName": feature.name,
                "project": feature.project,
                "environment": environment,
                "groupType": "transaction",
                "groupId": self._next_id(),
            }
        )
        self.changed(feature.name, at)

    def _next_id(self) -> str:
        self._ids += 1
        return f"01PRACTICE{self._ids:016d}"


def instant(at: datetime) -> str:
    """ISO 8601 with milliseconds and a Z, as the real service writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _parameters(given: Json, *, group: str) -> dict[str, str]:
    parameters = {"groupId": group, "rollout": "100", "stickiness": "default"}
    if isinstance(given, Mapping):
        parameters |= {str(key): _text(value) for key, value in given.items()}
    return parameters


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)
