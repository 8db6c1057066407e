"""Flags in a Convex table: reads and writes them by functions that the user deployed there.

What it is built around: a function that threw is HTTP 200, with its words taken out in production and
only `errorData` left; a mutation that threw changed nothing, one that was answered is committed, and
queries see it; HTTP mutations carry no idempotency key, so a change is guarded by `expectedVersion`; a
kill makes the version grow, which stops every change that is still on its way.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight
from cockpit.adapters.convex import Deployment, WrongDeployment, deployment
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.convex_preflight import rights_line
from cockpit.adapters.flags.convex_reading import ConvexTableReader, look
from cockpit.adapters.flags.convex_rows import Row
from cockpit.adapters.flags.outcome import (
    UNTOLD_WAIT_S,
    Stop,
    asked_to_wait_s,
    not_read_back,
    not_written,
    refused,
    reported,
    unknown,
    words,
)
from cockpit.adapters.flags.unleash_answers import reads
from cockpit.adapters.probes.convex_answer import read_call, request_code
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteOutcome, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.flags.convex_settings import ConvexTableSettings
    from cockpit.adapters.http import Answer, Web
    from cockpit.core.secret import SecretRef

_CONFLICT: Final = "VERSION_CONFLICT"
_NAME_LIMIT_S: Final = 1.0
_NEVER_RAN: Final = frozenset(
    {"ExpiredInQueue", "WorkerOverloaded", "ExecuteFullError", "InitialPermitTimeoutError"}
)


class ConvexTableWriter:
    """Writes flags, each write once. A kill does not wait for a forward move of the same flag: it stops it
    before its request, and kills once more when a request that was on its way has ended.
    """

    def __init__(self, settings: ConvexTableSettings, host: Deployment) -> None:
        self._settings = settings
        self._host = host
        self._forward: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._kills: Counter[str] = Counter()

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        kills = self._kills[key]
        async with self._forward[key]:
            return await reported(self._set_percent(key, percent, expected, kills))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._kill(key))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._zero(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        return [await rights_line(self._host, writes=True)]

    async def warm(self, keys: Sequence[str]) -> None:
        await self._host.verify()

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _set_percent(self, key: str, percent: Percent, expected: FlagValue, kills: int) -> str:
        stored = await self._look_first(key)
        if stored.value.complexities:
            raise refused(f"not a plain percentage: {'; '.join(stored.value.complexities)}")
        same_revision = expected.revision is None or stored.value.revision == expected.revision
        if not (same_revision and stored.value.same_setting(expected)):
            raise refused(f"somebody else changed it: it reads {reads(stored.value)}")
        if stored.value.percent == percent and (stored.value.on or percent == ZERO):
            return f"it reads {percent} already"
        if self._kills[key] != kills:
            raise refused("a rollback of the same flag came in between")
        await self._store(stored, percent, on=stored.value.on or percent != ZERO)
        now = await self._look_back(key)
        if now.value.percent != percent or now.value.exposure != percent:
            raise unknown(f"{percent} was accepted, but it reads {reads(now.value)}")
        return f"it reads {percent}"

    async def _kill(self, key: str) -> str:
        self._kills[key] += 1
        await self._refuse_elsewhere()
        await self._switch_off(key)
        if self._forward[key].locked():
            async with self._forward[key]:
                await self._switch_off(key)
        return "switched off"

    async def _refuse_elsewhere(self) -> None:
        """A key opens one deployment, so silence about its name holds no rollback up. Another name does."""
        try:
            async with asyncio.timeout(_NAME_LIMIT_S):
                await self._host.verify()
        except WrongDeployment as wrong:
            raise not_written(wrong) from None
        except (AdapterError, TimeoutError):
            return

    async def _switch_off(self, key: str) -> None:
        await self._send(self._settings.kill_mutation, {"key": key})

    async def _zero(self, key: str) -> str:
        stored = await self._look_first(key)
        if stored.version is None:
            raise refused(f"the percentage cannot be put to 0: {'; '.join(stored.value.complexities)}")
        if stored.value.percent != ZERO:
            await self._store(stored, ZERO, on=stored.value.on)
        return "the stored percentage is 0%"

    async def _store(self, stored: Row, percent: Percent, *, on: bool) -> None:
        """Store percentage and switch if the version still is what was read."""
        change = {"percent": percent.value, "enabled": on, "expectedVersion": stored.version}
        try:
            await self._send(self._settings.set_mutation, {"key": stored.value.key, **change})
        except _Conflict:
            raise refused(await self._what_others_wrote(stored.value.key)) from None

    async def _what_others_wrote(self, key: str) -> str:
        try:
            return f"somebody else changed it: it reads {reads((await self._look_back(key)).value)}"
        except Stop:
            return "somebody else changed it"

    async def _send(self, function: str, args: Mapping[str, object]) -> None:
        """One mutation. Returns only for a yes; else stops with what is known."""
        answer = await self._host.send(function, {**args, "updatedBy": self._settings.updated_by})
        if answer.status not in (200, 560):
            raise _not_run(answer)
        try:
            called = read_call(answer, function)
        except BrokenAnswer as broken:
            raise unknown(words(broken)) from None
        if called.threw and called.code == _CONFLICT:
            raise _Conflict(WriteOutcome.REFUSED, called.trouble, refused(called.trouble).failure)
        if called.threw:
            raise refused(f"{called.trouble}, so nothing was changed")

    async def _look_first(self, key: str) -> Row:
        try:
            return await self._row(key)
        except AdapterError as error:
            raise not_written(error) from None

    async def _look_back(self, key: str) -> Row:
        try:
            return await self._row(key)
        except AdapterError as error:
            raise not_read_back(error) from None

    async def _row(self, key: str) -> Row:
        row = (await look(self._host, self._settings.list_query, [key]))[key]
        if isinstance(row, AdapterError):
            raise row
        return row


class _Conflict(Stop):
    """The version was another one than the guard says; nothing was changed."""


def _not_run(answer: Answer) -> Stop:
    """What a failure of the request says. 4xx and some 503 came before the function ran; 408 and all
    others say no more than silence. Where there was no place or no time yet, it may be tried again.
    """
    error = answer.as_error()
    said_no = 400 <= answer.status < 500 and answer.status != 408
    no_place = answer.status in (425, 429)
    no_place = no_place or (answer.status == 503 and request_code(answer) in _NEVER_RAN)
    outcome = WriteOutcome.REFUSED if said_no or no_place else WriteOutcome.UNKNOWN
    wait_s = asked_to_wait_s(error) or (UNTOLD_WAIT_S if no_place else None)
    return Stop(outcome, words(error), error.failure, again_after_s=wait_s)


def build_reader(
    settings: ConvexTableSettings, web: Web, secret: Secrets, timeout_s: float
) -> ConvexTableReader:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    return ConvexTableReader(settings, _deployment(settings, settings.token, web, secret, timeout_s))


def build_writer(
    settings: ConvexTableSettings, web: Web, secret: Secrets, timeout_s: float
) -> ConvexTableWriter | None:
    """None without a write token in the plan. Raises as `build_reader` does."""
    if settings.write_token is None:
        return None
    return ConvexTableWriter(settings, _deployment(settings, settings.write_token, web, secret, timeout_s))


def _deployment(
    settings: ConvexTableSettings, key: SecretRef, web: Web, secret: Secrets, timeout_s: float
) -> Deployment:
    return deployment(
        web,
        settings.url,
        key=secret(key),
        instance=settings.instance,
        ca_file=settings.ca_file,
        timeout_s=timeout_s,
    )
