"""Unleash (open source or hosted): reads and writes flags over its admin API.

What it is built around, all seen on 8.2.0: PUT loses constraints, so percentages are changed by JSON
Patch alone, guarded by a `test` operation whose failure is a 500; nothing validates a percentage;
whole percents are all that is served; switching on an environment without an enabled strategy adds
one at 100 %; a write that timed out may still happen; /health is GOOD without a database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.outcome import (
    Stop,
    asked_to_wait_s,
    by_another_way,
    not_read_back,
    not_written,
    refused,
    reported,
    unanswered,
    unknown,
    words,
)
from cockpit.adapters.flags.turns import Turn, Turns
from cockpit.adapters.flags.unleash_answers import Rollout, StoredFlag, reads
from cockpit.adapters.flags.unleash_preflight import (
    maintenance_line,
    rights_line,
)
from cockpit.adapters.flags.unleash_reading import Place, UnleashReader, look
from cockpit.adapters.flags.unleash_settings import UnleashSettings
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import Failure, Fault, FlagValue, WriteOutcome, WriteResult
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web

_ROLLOUT: Final = "/parameters/rollout"
_CHANGE_REQUEST: Final = "SKIP_CHANGE_REQUEST"


class UnleashWriter:
    """Writes flags, each write once, with what it found out as the result.

    A kill does not wait for a forward move of the same flag: it stops it before its next request, and
    switches off once more when the request that was on its way has ended.
    """

    def __init__(self, settings: UnleashSettings, host: HttpHost) -> None:
        self._place = Place(project=settings.project, environment=settings.environment)
        self._host = host
        self._turns = Turns()

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._switch_off(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._zero(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        rights = rights_line(self._host, self._place.project, self._place.environment)
        return [await rights, await maintenance_line(self._host)]

    async def warm(self, keys: Sequence[str]) -> None:
        await self._host.warm("/health", len(keys))

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _set_percent(self, turn: Turn, percent: Percent, expected: FlagValue) -> str:
        """Store the percentage, read it back, and only then switch on what was off."""
        stored = await self._as_expected(turn.key, percent, expected)
        if stored.value.exposure == percent and stored.value.on:
            return f"it reads {percent} already"
        if stored.value.percent != percent or stored.rollout is None:
            await self._store(turn, stored.rollout or await self._create_at_zero(turn.key, turn), percent)
            stored = await self._look_back(turn.key)
        if stored.value.percent != percent or stored.value.complexities:
            raise unknown(f"{percent} was accepted, but somebody else wrote: it reads {reads(stored.value)}")
        if not stored.value.on and percent != ZERO:
            await self._switch_on(turn, percent)
        return f"it reads {percent}"

    async def _as_expected(self, key: str, percent: Percent, expected: FlagValue) -> StoredFlag:
        """The stored flag. Stops the write when it is not plain or not what the operator saw."""
        if percent.hundredths % 100:
            served = percent.hundredths // 100
            raise refused(f"Unleash serves whole percents only: {percent} would serve {served}%", Fault.PLAN)
        stored = await self._look_first(key)
        if stored.value.complexities:
            raise refused(f"not a plain percentage: {'; '.join(stored.value.complexities)}")
        same_revision = expected.revision is None or stored.value.revision == expected.revision
        if not (same_revision and stored.value.same_setting(expected)):
            raise refused(f"somebody else changed it: it reads {reads(stored.value)}")
        if percent > (stored.value.exposure or ZERO):
            await self._refuse_without_way_back()
        return stored

    async def _refuse_without_way_back(self) -> None:
        """In maintenance mode `off` is refused while percentages can still be raised."""
        line = await maintenance_line(self._host)
        if line.ok is False:
            raise refused(f"no way back from here: {line.detail}")

    async def _create_at_zero(self, key: str, turn: Turn | None = None) -> Rollout:
        """A strategy that serves nobody: switched on without one, Unleash would add one for everybody."""
        parameters = {"rollout": "0", "stickiness": "default", "groupId": key}
        body = {"name": "flexibleRollout", "parameters": parameters}
        answer = await self._send("POST", self._place.strategies(key), body, turn=turn)
        try:
            created = answer.json()
        except BrokenAnswer as error:
            raise not_read_back(error) from None
        if not isinstance(created, dict) or not isinstance(created.get("id"), str):
            raise unknown("Unleash did not name the strategy that it created")
        return Rollout(id=created["id"], stored="0")

    async def _store(self, turn: Turn, rollout: Rollout, percent: Percent) -> None:
        """Change the stored percentage if it still is what was read."""
        guard = {"op": "test", "path": _ROLLOUT, "value": rollout.stored}
        try:
            path = self._place.strategy(turn.key, rollout)
            await self._send("PATCH", path, [guard, _replaced(percent)], turn=turn)
        except _GuardFailed as failed:
            now = await self._look_back(turn.key)
            detail = f"somebody else changed it: it reads {reads(now.value)}"
            raise Stop(WriteOutcome.REFUSED, detail, failed.failure) from None

    async def _switch_on(self, turn: Turn, percent: Percent) -> None:
        """Switch on a strategy that was read back. Should more be served than was asked, switch off again."""
        await self._send("POST", self._place.switch(turn.key, on=True), turn=turn)
        now = (await self._look_back(turn.key)).value
        if now.exposure == percent:
            return
        if now.on:
            told = f"after switching on it read {reads(now)}"
            try:
                await self._send("POST", self._place.switch(turn.key, on=False))
            except Stop as stop:
                raise unknown(f"{told}, and it could not be switched off again: {stop.detail}") from None
            raise unknown(f"{told}; it was switched off again")
        raise unknown("switching on was accepted, but it reads off")

    async def _switch_off(self, key: str) -> str:
        """Where `off` is closed to us the percentage may be open: maintenance mode lets PATCH through."""
        try:
            await self._send("POST", self._place.switch(key, on=False))
        except _Closed as closed:
            return await by_another_way(closed, self._zero(key))
        return "switched off"

    async def _zero(self, key: str) -> str:
        stored = await self._look_first(key)
        if stored.strategies == 0:
            await self._create_at_zero(key)
            return "no percentage was stored; 0% is now"
        if stored.rollout is None:
            notes = "; ".join(stored.value.complexities)
            raise refused(f"there is no single percentage to put to 0: {notes}")
        if stored.rollout.stored != "0":
            await self._send("PATCH", self._place.strategy(key, stored.rollout), [_replaced(ZERO)])
        return "the stored percentage is 0%"

    async def _send(self, method: str, path: str, body: object = None, *, turn: Turn | None = None) -> Answer:
        """One write. Returns only for a yes; else stops with what is known."""
        if turn is not None:
            turn.check()
        try:
            answer = await self._host.write(method, path, json=body)
        except AdapterError as error:
            raise unanswered(error) from None
        if answer.body.lstrip()[:1] == b"<" and answer.status < 300:
            raise unknown(f"HTML instead of an answer from {self._host.address} (proxy or login page?)")
        if not 200 <= answer.status < 300:
            raise _stop_for(answer)
        return answer

    async def _look_first(self, key: str) -> StoredFlag:
        try:
            return await look(self._host, self._place, key)
        except AdapterError as error:
            raise not_written(error) from None

    async def _look_back(self, key: str) -> StoredFlag:
        try:
            return await look(self._host, self._place, key)
        except AdapterError as error:
            raise not_read_back(error) from None


class _Closed(Stop):
    """The server or our rights do not allow this kind of write."""


class _GuardFailed(Stop):
    """The `test` operation of a patch did not hold; nothing was changed."""


def _stop_for(answer: Answer) -> Stop:
    """What a status other than yes says about a write. A 5xx that explains nothing leaves it unknown."""
    error = answer.as_error()
    if answer.status == 500 and b"TEST_OPERATION_FAILED" in answer.body:
        failure = Failure(title="somebody else changed it", detail=error.failure.detail, retryable=False)
        return _GuardFailed(WriteOutcome.REFUSED, failure.title, failure)
    if answer.status == 503 and b"maintenance mode" in answer.body.lower():
        return _Closed(WriteOutcome.REFUSED, "Unleash is in maintenance mode", error.failure)
    if answer.status == 403 and _CHANGE_REQUEST.encode() in answer.body:
        wish = f"Unleash wants a change request here: the write token lacks {_CHANGE_REQUEST}"
        return refused(wish, Fault.CREDENTIAL)
    if answer.status == 403:
        return _Closed(WriteOutcome.REFUSED, words(error), error.failure)
    said_no = answer.status < 500 and answer.status != 408
    outcome = WriteOutcome.REFUSED if said_no else WriteOutcome.UNKNOWN
    return Stop(outcome, words(error), error.failure, again_after_s=asked_to_wait_s(error))


def _replaced(percent: Percent) -> Mapping[str, str]:
    return {"op": "replace", "path": _ROLLOUT, "value": str(percent.hundredths // 100)}


def build_reader(settings: UnleashSettings, web: Web, secret: Secrets, timeout_s: float) -> UnleashReader:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    host = _host(settings, web, secret(settings.token), timeout_s)
    return UnleashReader(settings, host, clock=web.clock)


def build_writer(
    settings: UnleashSettings, web: Web, secret: Secrets, timeout_s: float
) -> UnleashWriter | None:
    """None without a write token in the plan. Raises as `build_reader` does."""
    if settings.write_token is None:
        return None
    return UnleashWriter(settings, _host(settings, web, secret(settings.write_token), timeout_s))


def _host(settings: UnleashSettings, web: Web, token: Secret, timeout_s: float) -> HttpHost:
    headers = {"Authorization": token}
    return web.host(
        settings.url, headers=headers, timeout_s=timeout_s, ca_file=settings.ca_file, lever=True, wide=True
    )
