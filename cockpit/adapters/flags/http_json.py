"""A home-grown flag endpoint: any service that tells a flag as JSON and takes one as JSON.

Every write looks first, compares with what the operator saw, writes once and reads back. The guard is
the service's own (If-Match or a version in the body; 409 and 412 mean that it held); without one the
time between looking and writing is all that protects what others write, and preflight says so. A kill
needs nobody's leave: it tries again when somebody else was faster, and goes out blind when the service
does not answer reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, Preflight, RefusedByService
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.http_json_answers import (
    Stored,
    filled,
    in_unit,
)
from cockpit.adapters.flags.http_json_preflight import guard_line, rights_line
from cockpit.adapters.flags.http_json_reading import HttpJsonReader, look, open_host
from cockpit.adapters.flags.http_json_settings import KEY, ON, Guard, HttpJsonSettings, WriteFlag, texts
from cockpit.adapters.flags.lines import trouble_line
from cockpit.adapters.flags.outcome import (
    Stop,
    asked_to_wait_s,
    not_read_back,
    not_written,
    refused,
    reported,
    unanswered,
    unknown,
    words,
)
from cockpit.adapters.flags.turns import Turn, Turns, must_be_as_expected
from cockpit.adapters.http_path import segment
from cockpit.core.agreement import setting_words
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import Fault, FlagValue, WriteOutcome, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost, Web

_GLANCE_S: Final = 1.0
_TRIES: Final = 6
_STALE: Final = frozenset({409, 412})


class HttpJsonWriter:
    """Writes flags as the plan's body templates say."""

    def __init__(self, settings: HttpJsonSettings, write: WriteFlag, host: HttpHost) -> None:
        self._settings = settings
        self._write = write
        self._host = host
        self._turns = Turns()
        self._switches = ON in set(texts(write.body))

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._kill(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._zero(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        """Rights first: a token that may not even read says nothing of the guard."""
        lines: list[Preflight] = []
        for key in keys[:1]:
            try:
                stored = await look(self._host, self._settings, key)
            except AdapterError as error:
                return [trouble_line(f"flags at {self._host.address}", "the write token may read", error)]
            lines.append(guard_line(self._host, self._settings.guard, stored.etag))
        return [await rights_line(self._host, self._settings.rights), *lines]

    async def warm(self, keys: Sequence[str]) -> None:
        await self._host.warm(self._settings.read.path.replace(KEY, segment(keys[0])), len(keys))

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        if percent.hundredths % self._settings.finest.hundredths:
            steps = self._settings.finest
            raise refused(f"this service knows steps of {steps} only, not {percent}", Fault.PLAN)
        stored = await self._look_first(key)
        must_be_as_expected(stored.value, expected)
        if stored.value.exposure == percent and (stored.value.on or stored.value.percent == ZERO):
            return f"it reads {percent} already"
        on = stored.value.on or percent != ZERO
        if on != stored.value.on and not self._switches:
            raise refused('it is off, and the plan\'s write has no "{on}" to switch it on', Fault.PLAN)
        turn.check()
        try:
            await self._put(stored, percent, on=on)
        except _Stale as stale:
            raise refused(await self._what_others_wrote(key, stale)) from None
        now = (await self._look_back(key)).value
        if now.percent == now.exposure == percent and not now.complexities:
            return f"it reads {percent}"
        raise unknown(f"{percent} was accepted, but it reads {setting_words(now)}")

    async def _kill(self, key: str) -> str:
        if self._settings.kill is not None:
            await self._glance(key)
            await self._send(self._settings.kill, key, ZERO, on=False)
        else:
            await self._lower(key, off=True)
        now = (await self._look_back(key)).value
        if now.exposure == ZERO:
            return f"it reads {setting_words(now)}"
        raise unknown(f"the kill was accepted, but it reads {setting_words(now)}")

    async def _zero(self, key: str) -> str:
        await self._lower(key, off=False)
        now = (await self._look_back(key)).value
        if now.percent == ZERO:
            return "the stored percentage is 0%"
        raise unknown(f"0% was accepted, but it reads {setting_words(now)}")

    async def _lower(self, key: str, *, off: bool) -> None:
        """Put the percentage to 0, however often somebody else is faster; `off` switches off as well.

        A kill writes even what reads 0 already: that stops a write whose answer was lost on its way.
        """
        for _ in range(_TRIES):
            stored = await (self._glance(key) if off else self._look_first(key))
            if stored is None:
                return await self._send(self._write, key, ZERO, on=False)
            if not off and stored.value.percent == ZERO:
                return None
            try:
                return await self._put(stored, ZERO, on=stored.value.on and not (off and self._switches))
            except _Stale:
                continue
        if off and self._settings.guard is Guard.ETAG:
            return await self._send(self._write, key, ZERO, on=False)
        raise refused("somebody else was faster every time")

    async def _glance(self, key: str) -> Stored | None:
        """A look that holds no kill up: None when nothing comes back, unless the guard needs an answer.

        A no is a no: a flag that is not there must not be made, and another environment's not touched.
        """
        needed = self._settings.kill is None and self._settings.guard is Guard.VERSION
        try:
            async with asyncio.timeout(None if needed else _GLANCE_S):
                return await look(self._host, self._settings, key)
        except TimeoutError:
            return None
        except RefusedByService as error:
            raise not_written(error) from None
        except AdapterError as error:
            if needed or not error.sent:
                raise not_written(error) from None
            return None

    async def _put(self, stored: Stored, percent: Percent, *, on: bool) -> None:
        """One guarded write. Raises _Stale when somebody else was faster."""
        headers = None
        if self._settings.guard is Guard.ETAG:
            if stored.etag is None:
                raise refused("the answer has no strong ETag to guard the write with", Fault.PLAN)
            headers = {"If-Match": stored.etag}
        key, version = stored.value.key, stored.version
        await self._send(self._write, key, percent, on=on, version=version, headers=headers)

    async def _send(
        self,
        write: WriteFlag,
        key: str,
        percent: Percent,
        *,
        on: bool,
        version: str | int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """One write. Returns only for a yes; else stops with what is known."""
        if self._settings.read.percent is None:
            on = percent != ZERO
        amount = in_unit(percent, self._settings.everybody)
        body = filled(write.body, key=key, percent=amount, on=on, version=version)
        path = write.path.replace(KEY, segment(key))
        try:
            answer = await self._host.write(write.method, path, json=body, headers=headers)
        except AdapterError as error:
            raise unanswered(error) from None
        if answer.body.lstrip()[:1] == b"<" and answer.status < 300:
            raise unknown(f"HTML instead of an answer from {self._host.address} (proxy or login page?)")
        if 200 <= answer.status < 300:
            return
        no = answer.as_error()
        said_no = 400 <= answer.status < 500 and answer.status != 408
        outcome = WriteOutcome.REFUSED if said_no else WriteOutcome.UNKNOWN
        guarded = headers is not None or self._settings.guard is Guard.VERSION
        kind = _Stale if guarded and answer.status in _STALE else Stop
        raise kind(outcome, words(no), no.failure, again_after_s=asked_to_wait_s(no))

    async def _what_others_wrote(self, key: str, stale: Stop) -> str:
        try:
            now = await self._look_back(key)
        except Stop:
            return f"somebody else changed it: {stale.detail}"
        return f"somebody else changed it: it reads {setting_words(now.value)}"

    async def _look_first(self, key: str) -> Stored:
        try:
            return await look(self._host, self._settings, key)
        except AdapterError as error:
            raise not_written(error) from None

    async def _look_back(self, key: str) -> Stored:
        try:
            return await look(self._host, self._settings, key)
        except AdapterError as error:
            raise not_read_back(error) from None


class _Stale(Stop):
    """The guard did not hold; nothing was changed."""


def build_reader(settings: HttpJsonSettings, web: Web, secret: Secrets, timeout_s: float) -> HttpJsonReader:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    return HttpJsonReader(settings, open_host(settings, settings.token, web, secret, timeout_s))


def build_writer(
    settings: HttpJsonSettings, web: Web, secret: Secrets, timeout_s: float
) -> HttpJsonWriter | None:
    """None without a write token in the plan. Raises as `build_reader` does."""
    if settings.write_token is None or settings.write is None:
        return None
    host = open_host(settings, settings.write_token, web, secret, timeout_s)
    return HttpJsonWriter(settings, settings.write, host)
