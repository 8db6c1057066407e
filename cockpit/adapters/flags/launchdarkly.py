"""LaunchDarkly: reads and writes flags over its REST API v2.

What it is built around, from the vendor's documentation and client (never run against the service): a
JSON Patch may `test` the environment's version, so a forward move is one guarded request that changes the
share and the switch together; a semantic patch has no guard and is the kill (`turnFlagOff`); 405 means
that approvals are required, 400, 409 and 422 that nothing was applied; the wait after a 429 stands in
X-Ratelimit-Reset as milliseconds since 1970.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, Preflight, RefusedByService
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.launchdarkly_access import Flags, LaunchDarklySettings, open_host, raise_for
from cockpit.adapters.flags.launchdarkly_answers import StoredFlag
from cockpit.adapters.flags.launchdarkly_rights import approvals_line, rights_line
from cockpit.adapters.flags.outcome import (
    answered,
    not_read_back,
    not_written,
    refused,
    reported,
    unanswered,
    unknown,
    words,
)
from cockpit.adapters.flags.reading import lines_of_each, read_each
from cockpit.adapters.flags.turns import Turn, Turns, must_be_as_expected
from cockpit.adapters.once import asked_once
from cockpit.core.agreement import setting_words
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import Fault, FlagValue, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web

_SEMANTIC: Final = "application/json; domain-model=launchdarkly.semanticpatch"
_NOT_APPLIED: Final = frozenset({400, 409, 422})
_GLANCE_S: Final = 1.0
_COMMENT: Final = "Cutover Cockpit"


class LaunchDarklyReader:
    """Reads flags, and asks the audit log who did it when a version is not what it was."""

    def __init__(self, settings: LaunchDarklySettings, host: HttpHost) -> None:
        self._flags = Flags(settings, host)
        self._last: dict[str, FlagValue] = {}
        self._unsigned: set[str] = set()
        self._may_audit = True

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        return await read_each(keys, self._read_one)

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        return await lines_of_each(keys, self._read_one)

    async def aclose(self) -> None:
        await self._flags.host.aclose()

    async def _read_one(self, key: str) -> FlagValue:
        value = (await self._flags.look(key)).value
        last = self._last.get(key)
        if last is not None and last.revision == value.revision and key not in self._unsigned:
            return replace(value, changed_by=last.changed_by)
        self._last[key] = await self._with_author(value)
        return self._last[key]

    async def _with_author(self, value: FlagValue) -> FlagValue:
        """Good to know, but no reason to fail: without an answer it is asked next time."""
        if not self._may_audit:
            return value
        try:
            with asked_once():
                author = await self._flags.author(value.key)
        except AdapterError as error:
            self._may_audit = not isinstance(error, RefusedByService)
            self._unsigned.add(value.key)
            return value
        self._unsigned.discard(value.key)
        return replace(value, changed_by=author)


class LaunchDarklyWriter:
    def __init__(self, settings: LaunchDarklySettings, host: HttpHost) -> None:
        self._settings = settings
        self._flags = Flags(settings, host)
        self._turns = Turns()
        self._environment = f"/environments/{settings.environment}"

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._kill(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._zero(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        host, environment = self._flags.host, self._settings.environment
        return [
            await rights_line(host, environment),
            await approvals_line(host, self._settings.project, environment),
        ]

    async def warm(self, keys: Sequence[str]) -> None:
        await self._flags.host.warm("/api/v2/caller-identity")

    async def aclose(self) -> None:
        await self._flags.host.aclose()

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        """One request: the version is tested, then the share and the switch change together."""
        stored = await self._look_first(key)
        must_be_as_expected(stored.value, expected)
        if stored.value.percent == percent and (stored.value.on or percent == ZERO):
            return f"it reads {percent} already"
        rule = stored.fallthrough(percent, context_kind=self._settings.context_kind)
        patch: list[dict[str, object]] = [
            {"op": "test", "path": f"{self._environment}/version", "value": stored.version},
            {"op": "replace", "path": f"{self._environment}/fallthrough", "value": rule},
        ]
        if percent != ZERO and not stored.value.on:
            patch.append({"op": "replace", "path": f"{self._environment}/on", "value": True})
        turn.check()
        answer = await self._send(key, _json_patch(patch, f"{percent}"))
        if answer.status in _NOT_APPLIED:
            now = (await self._look_back(key)).value
            said = words(answer.as_error())
            if now.same_setting(stored.value) and now.revision == stored.value.revision:
                raise refused(said)
            raise refused(f"somebody else changed it: it reads {setting_words(now)} ({said})")
        now = (await self._look_back(key)).value
        if now.percent == percent == now.exposure and not now.complexities:
            return f"it reads {percent}"
        raise unknown(f"it was accepted, but somebody else wrote: it reads {setting_words(now)}")

    async def _kill(self, key: str) -> str:
        """`turnFlagOff` serves the off variation. Where that is not legacy it is made so in the same go."""
        try:
            seen = await asyncio.wait_for(self._flags.look(key), _GLANCE_S)
        except (AdapterError, TimeoutError):
            seen = None
        if seen is None or seen.off_is_legacy:
            wish: tuple[object, str] = (_semantic(self._settings.environment, "turnFlagOff"), _SEMANTIC)
        else:
            patch: list[dict[str, object]] = [
                {"op": "replace", "path": f"{self._environment}/offVariation", "value": seen.legacy},
                {"op": "replace", "path": f"{self._environment}/on", "value": False},
            ]
            wish = _json_patch(patch, "rollback")
        answer = await self._send(key, wish)
        if answer.status in _NOT_APPLIED:
            raise refused(words(answer.as_error()))
        try:
            now = self._flags.parsed(key, answer)
        except AdapterError:
            now = await self._look_back(key)
        if now.value.exposure == ZERO and now.off_is_legacy:
            return "switched off"
        raise unknown(f"switching off was accepted, but it reads {setting_words(now.value)}")

    async def _zero(self, key: str) -> str:
        stored = await self._look_first(key)
        if stored.value.percent is None:
            raise refused(
                f"there is no single percentage to put to 0: {'; '.join(stored.value.complexities)}"
            )
        if stored.value.percent != ZERO:
            rule = stored.fallthrough(ZERO, context_kind=self._settings.context_kind)
            patch: list[dict[str, object]] = [
                {"op": "replace", "path": f"{self._environment}/fallthrough", "value": rule}
            ]
            answer = await self._send(key, _json_patch(patch, "rollback"))
            if answer.status in _NOT_APPLIED:
                raise refused(words(answer.as_error()))
            now = (await self._look_back(key)).value
            if now.percent != ZERO:
                raise unknown(f"0% was accepted, but it reads {setting_words(now)}")
        return "the stored percentage is 0%"

    async def _send(self, key: str, wish: tuple[object, str]) -> Answer:
        """One write. Returns for a yes and for what was not applied; else stops with what is known."""
        body, content_type = wish
        headers = {"Content-Type": content_type}
        try:
            answer = await self._flags.host.write("PATCH", self._flags.path(key), json=body, headers=headers)
        except AdapterError as error:
            raise unanswered(error) from None
        if answer.status == 405:
            raise refused("LaunchDarkly wants an approval for changes here", Fault.CREDENTIAL)
        if answer.status not in _NOT_APPLIED:
            try:
                raise_for(answer)
            except AdapterError as error:
                raise answered(error) from None
        return answer

    async def _look_first(self, key: str) -> StoredFlag:
        try:
            return await self._flags.look(key)
        except AdapterError as error:
            raise not_written(error) from None

    async def _look_back(self, key: str) -> StoredFlag:
        try:
            return await self._flags.look(key)
        except AdapterError as error:
            raise not_read_back(error) from None


def _semantic(environment: str, kind: str) -> Mapping[str, object]:
    return {
        "environmentKey": environment,
        "comment": f"{_COMMENT}: rollback",
        "instructions": [{"kind": kind}],
    }


def _json_patch(patch: Sequence[Mapping[str, object]], what: str) -> tuple[object, str]:
    return {"comment": f"{_COMMENT}: {what}", "patch": patch}, "application/json"


def build_reader(
    settings: LaunchDarklySettings, web: Web, secret: Secrets, timeout_s: float
) -> LaunchDarklyReader:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    return LaunchDarklyReader(settings, open_host(settings, web, secret(settings.token), timeout_s))


def build_writer(
    settings: LaunchDarklySettings, web: Web, secret: Secrets, timeout_s: float
) -> LaunchDarklyWriter | None:
    """None without a write token in the plan. Raises as `build_reader` does."""
    if settings.write_token is None:
        return None
    return LaunchDarklyWriter(settings, open_host(settings, web, secret(settings.write_token), timeout_s))
