"""The functions that a user would deploy for flags in a Convex table, over the flags of the practice world.

Same promises as sample_configs/convex: `set` is guarded by a version, every write makes the version
grow, a kill switches off and puts the percentage to 0. Rows of the world with several strategies have
no percentage, as a row that somebody broke by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cockpit.core.clean import Percent, parse_instant
from cockpit.core.dataclass import dataclass
from cockpit.practice.faults import FORBIDDEN, FaultName
from cockpit.practice.flags import Author, FlagStore
from cockpit.practice.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFunctions:
    """Paths of the three functions, as a plan names them."""

    list_query: str = "cutoverFlags:list"
    set_mutation: str = "cutoverFlags:set"
    kill_mutation: str = "cutoverFlags:kill"

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.list_query, self.set_mutation, self.kill_mutation)


class Thrown(Exception):
    """A ConvexError; `data` reaches the caller also in production. None: an error that is taken out there."""

    def __init__(self, data: object = None) -> None:
        super().__init__(data)
        self.data = data


class NotRun(Exception):
    """The deployment does not run the function at all."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class ConvexFlags:
    """`call` does what one of the functions does. A flag's version is the number of its events."""

    def __init__(self, world: World, functions: TableFunctions) -> None:
        self._world = world
        self._functions = functions

    def call(self, path: str, args: Mapping[str, Any]) -> object:
        """The function's value. Raises Thrown and NotRun."""
        if self._world.active(FaultName.FLAG_SERVICE_DOWN):
            raise NotRun(503, "WorkerOverloaded")
        if path == self._functions.list_query:
            keys = args.get("keys")
            if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
                raise Thrown()
            return [self._row(key) for key in keys if key in self._world.flags.features]
        self._refuse_writes()
        key = args.get("key")
        if not isinstance(key, str) or not isinstance(args.get("updatedBy"), str):
            raise Thrown()
        if key not in self._world.flags.features:
            raise Thrown({"code": "NO_SUCH_FLAG"})
        if path == self._functions.set_mutation:
            self._check_change(key, args)
            self._write(key, float(args["percent"]), args["enabled"], args["updatedBy"])
        else:
            self._write(key, 0.0, False, args["updatedBy"])
        return None

    def _refuse_writes(self) -> None:
        refuses = self._world.active(FaultName.FLAG_SERVICE_REFUSES_WRITES)
        if refuses is not None:
            forbidden = refuses.kind == FORBIDDEN
            raise NotRun(403, "OperationNotPermitted") if forbidden else NotRun(503, "WorkerOverloaded")

    def _check_change(self, key: str, args: Mapping[str, Any]) -> None:
        numbers = (args.get("percent"), args.get("expectedVersion"))
        if not all(type(each) in (int, float) for each in numbers) or type(args.get("enabled")) is not bool:
            raise Thrown()
        version = self._version(key)
        if args["expectedVersion"] != version:
            raise Thrown({"code": "VERSION_CONFLICT", "version": version})
        if not 0 <= args["percent"] <= 100:
            raise Thrown({"code": "BAD_PERCENT"})

    def _write(self, key: str, percent: float, enabled: bool, who: str) -> None:
        """Store both at once, or only pretend to while the service lies."""
        if self._world.active(FaultName.FLAG_SERVICE_LIES):
            return
        author, target = Author(name=who, user_id=7), self._target(key)
        rollout = {"rollout": f"{percent:g}", "stickiness": "userId", "groupId": key}

        def store(flags: FlagStore, at: datetime) -> None:
            found = flags.environment(*target).strategies
            if not enabled:
                flags.switch(*target, False, author, at)
            if found:
                change = [{"op": "replace", "path": "/parameters", "value": rollout}]
                flags.patch_strategy(*target, found[0].id, change, author, at)
            else:
                body = {"name": "flexibleRollout", "parameters": rollout}
                flags.add_strategy(*target, body, author, at)
            if enabled:
                flags.switch(*target, True, author, at)

        self._world.write(store, [key])

    def _version(self, key: str) -> int:
        return len(self._events(key))

    def _events(self, key: str) -> list[dict[str, Any]]:
        return [each for each in self._world.flags.events if each["featureName"] == key]

    def _target(self, key: str) -> tuple[str, str, str]:
        seed = self._world.seeds.get(key)
        environment = seed.environment if seed is not None else "production"
        return self._world.flags.features[key].project, key, environment

    def _row(self, key: str) -> dict[str, object]:
        found, last = self._world.flags.environment(*self._target(key)), self._events(key)[-1]
        return {
            "_id": f"practice{key}",
            "key": key,
            "enabled": found.enabled,
            "percent": _percent(found.strategies[0].parameters.get("rollout")) if found.strategies else 0.0,
            "version": self._version(key),
            "updatedBy": last["createdBy"],
            "updatedAt": parse_instant(last["createdAt"]).timestamp() * 1000,
        }


def _percent(stored: object) -> object:
    try:
        return Percent.parse(stored).value
    except ValueError:
        return stored
