"""PostHog: reads and writes the release condition of a flag over the management API.

What it is built around, from PostHog's own source (never run against the service): newer builds change
a percentage by an action of its own, guarded by a version, older ones answer that with 404 and want a
PATCH with the complete filters; a PATCH with a version alone overwrites whatever is there, only together
with the flag as it was read does it answer 409; so does a project that wants approvals, with another body
and a change request left behind; an active flag that depends on this one forbids switching it off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cockpit.adapters.base import AdapterError, Preflight, RefusedByService
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.outcome import (
    Stop,
    answered,
    by_another_way,
    is_no,
    not_read_back,
    not_written,
    refused,
    reported,
    unanswered,
    unknown,
    words,
)
from cockpit.adapters.flags.posthog_access import Flags, PostHogSettings, open_host
from cockpit.adapters.flags.posthog_answers import StoredFlag, as_number
from cockpit.adapters.flags.posthog_rights import line, rights_line
from cockpit.adapters.flags.reading import lines_of_each, read_each
from cockpit.adapters.flags.turns import Turn, Turns, must_be_as_expected
from cockpit.adapters.once import asked_once
from cockpit.core.agreement import setting_words
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import Fault, FlagValue, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, Web

_ROLLOUT: Final = "set_release_condition_rollout/"


class PostHogReader:
    """Reads flags, and asks their activity who did it when a setting is not what it was."""

    def __init__(self, flags: Flags) -> None:
        self._flags = flags
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
            return replace(value, changed_by=last.changed_by, changed_at=last.changed_at)
        self._last[key] = await self._with_author(value)
        return self._last[key]

    async def _with_author(self, value: FlagValue) -> FlagValue:
        """Good to know, but no reason to fail: without an answer it is asked next time."""
        if not self._may_audit:
            return value
        try:
            with asked_once():
                author, moment = await self._flags.author(value.key)
        except AdapterError as error:
            self._may_audit = not isinstance(error, RefusedByService)
            self._unsigned.add(value.key)
            return value
        self._unsigned.discard(value.key)
        return replace(value, changed_by=author, changed_at=moment)


class PostHogWriter:
    def __init__(self, flags: Flags) -> None:
        self._flags = flags
        self._turns = Turns()

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._kill(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._zero(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        for key in keys[:1]:
            try:
                await self._flags.look(key)
            except AdapterError as error:
                ok = False if error.failure.fault is Fault.CREDENTIAL else None
                return [line(self._flags.host, ok, words(error))]
        return [await rights_line(self._flags.host)]

    async def aclose(self) -> None:
        await self._flags.host.aclose()

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        stored = await self._look_first(key)
        must_be_as_expected(stored.value, expected)
        if stored.value.percent == percent and (stored.value.on or percent == ZERO):
            return f"it reads {percent} already"
        turn.check()
        answer = await self._store(turn, stored, percent, on=stored.value.on or percent != ZERO)
        after = await self._look_back(key)
        if answer.status == 409:
            raise refused(_conflict(stored, after, answer))
        now = after.value
        if now.percent == percent == now.exposure and not now.complexities:
            return f"it reads {percent}"
        raise unknown(f"it was accepted, but somebody else wrote: it reads {setting_words(now)}")

    async def _store(self, turn: Turn, stored: StoredFlag, percent: Percent, *, on: bool) -> Answer:
        """One guarded request; where the switch changes too, both change together."""
        if on == stored.value.on and stored.version is not None:
            wish = {
                "condition_index": 0,
                "rollout_percentage": as_number(percent),
                "version": stored.version,
            }
            answer = await self._send("POST", self._flags.path(stored, _ROLLOUT), wish)
            if answer.status not in (404, 405):
                return answer
            turn.check()
        body = {**stored.guard, "filters": stored.filters(percent), "active": on}
        return await self._send("PATCH", self._flags.path(stored), body)

    async def _kill(self, key: str) -> str:
        stored = await self._look_first(key)
        try:
            answer = await self._send("PATCH", self._flags.path(stored), {"active": False})
            if answer.status == 409:
                raise answered(answer.as_error())
        except Stop as stop:
            if not is_no(stop):
                raise
            return await by_another_way(stop, self._zero(key))
        now = (await self._look_back(key)).value
        if now.exposure == ZERO:
            return "switched off"
        raise unknown(f"switching off was accepted, but it reads {setting_words(now)}")

    async def _zero(self, key: str) -> str:
        stored = await self._look_first(key)
        if stored.value.percent is None:
            why = "; ".join(stored.value.complexities)
            raise refused(f"there is no single percentage to put to 0: {why}")
        if stored.value.percent != ZERO:
            body = {"filters": stored.filters(ZERO)}
            answer = await self._send("PATCH", self._flags.path(stored), body)
            if answer.status == 409:
                raise answered(answer.as_error())
            now = (await self._look_back(key)).value
            if now.percent != ZERO:
                raise unknown(f"0% was accepted, but it reads {setting_words(now)}")
        return "the stored percentage is 0%"

    async def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Answer:
        """One write. Returns for a yes, a conflict and a path that is not there; else stops."""
        try:
            answer = await self._flags.host.write(method, path, json=body)
        except AdapterError as error:
            raise unanswered(error) from None
        missing = method == "POST" and answer.status in (404, 405)
        if not 200 <= answer.status < 300 and answer.status != 409 and not missing:
            raise answered(answer.as_error())
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


def _conflict(before: StoredFlag, after: StoredFlag, answer: Answer) -> str:
    """A stale version, or an approval that is wanted: both are 409, so what became of the flag decides."""
    said = words(answer.as_error())
    if (before.version, before.value.revision) != (after.version, after.value.revision):
        return f"somebody else changed it: it reads {setting_words(after.value)} ({said})"
    return f"nothing was written; a change request may wait in PostHog now: {said}"


def build_reader(settings: PostHogSettings, web: Web, secret: Secrets, timeout_s: float) -> PostHogReader:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    return PostHogReader(Flags(settings, open_host(settings, web, secret(settings.token), timeout_s)))


def build_writer(
    settings: PostHogSettings, web: Web, secret: Secrets, timeout_s: float
) -> PostHogWriter | None:
    """None without a write token in the plan. Raises as `build_reader` does."""
    if settings.write_token is None:
        return None
    host = open_host(settings, web, secret(settings.write_token), timeout_s)
    return PostHogWriter(Flags(settings, host))
