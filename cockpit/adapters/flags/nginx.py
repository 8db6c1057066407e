"""nginx as a lever: a flag is a split_clients block in an included file that only the cockpit writes.

What it is built around, all seen on 1.22: there is no API, so a change is a file in one step, `nginx -t`
on the whole configuration, and SIGHUP to the master; an nginx that cannot use its configuration goes on
with the old one and tells nobody, so a write counts only when no worker from before it is left.
A rollback does not wait for `nginx -t`: no share is always a valid block, and the master checks it itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.nginx_process import (
    Content,
    Running,
    SplitFile,
    ask_to_reload,
    complaint,
    may_be_asked,
    running,
)
from cockpit.adapters.flags.nginx_reading import NginxReader, look, names_of, value_of
from cockpit.adapters.flags.nginx_settings import NginxSettings
from cockpit.adapters.flags.nginx_split import with_percent, without_new
from cockpit.adapters.flags.outcome import not_read_back, not_written, refused, reported, unknown, words
from cockpit.adapters.flags.turns import Turn, Turns, must_be_as_expected
from cockpit.adapters.leaving import must_be_wanted
from cockpit.core.agreement import setting_words
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.core.clock import Clock

_LOOK_AGAIN_S: Final = 0.02
_TRIES: Final = 6


class NginxWriter:
    """Writes the file, one change at a time, and waits until nginx runs with it."""

    def __init__(
        self, settings: NginxSettings, test: Sequence[str], *, timeout_s: float, clock: Clock | None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._test = test
        self._timeout_s = timeout_s
        self._file = SplitFile(settings.file)
        self._names = names_of(settings)
        self._turns = Turns()
        self._one_change = asyncio.Lock()

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._kill(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._kill(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        subject = f"nginx with {self._file.shown}"
        writable = await asyncio.to_thread(self._file.may_be_replaced)
        objection = await complaint(self._test, self._timeout_s)
        try:
            pid = (await asyncio.to_thread(running, self._settings.pid_file, self._clock)).pid
            told = self._settings.reload is not None or may_be_asked(pid)
        except AdapterError:
            told = False
        return [
            Preflight(subject=subject, question=question, ok=ok, detail=detail)
            for question, ok, detail in (
                ("its folder may be written", writable, ""),
                ("its configuration is good", not objection, objection),
                ("its master may be told to reload", told, ""),
            )
        ]

    async def aclose(self) -> None:
        """Nothing is kept open."""

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        async with self._one_change:
            content, nginx = await self._look_first()
            try:
                value = value_of(key, content, nginx, self._names)
            except AdapterError as error:
                raise not_written(error) from None
            must_be_as_expected(value, expected)
            if value.percent == percent:
                return f"it reads {percent} already"
            turn.check()
            text = with_percent(content.text, key, percent, self._names)
            try:
                if not await self._replace(content, text):
                    raise refused("somebody else changed the file just now")
                if objection := await complaint(self._test, self._timeout_s):
                    raise refused(f"nginx refuses it, and the file is as it was: {objection}")
                turn.check()
                must_be_wanted()
                await ask_to_reload(nginx, self._settings.reload, self._timeout_s)
            except BaseException:  # also when we are cancelled: nobody else's reload may load this file
                self._put_back(text, content)
                raise
        return await self._settled(key, percent, nginx)

    async def _kill(self, key: str) -> str:
        async with self._one_change:
            content, changed = await self._without_new(key)
            try:
                nginx = await asyncio.to_thread(running, self._settings.pid_file, self._clock)
                if not changed and nginx.has_loaded(content):
                    return "it reads 0% already, and nginx runs with it"
                await ask_to_reload(nginx, self._settings.reload, self._timeout_s)
            except AdapterError as error:
                raise unknown(f"the file says 0%, but nginx was not told: {words(error)}") from None
        return await self._settled(key, ZERO, nginx)

    async def _without_new(self, key: str) -> tuple[Content, bool]:
        """The file as it was read, and whether it had to be changed. A kill asks for nobody's leave: what
        somebody else wrote in the same moment is read again, and loses nothing but this flag's new side.
        """
        for _ in range(_TRIES):
            try:
                content = await asyncio.to_thread(self._file.read)
                text = without_new(content.text, key, self._names)
            except AdapterError as error:
                raise not_written(error) from None
            if text == content.text:
                return content, False
            if await self._replace(content, text):
                return content, True
        raise refused("somebody else was faster every time")

    async def _replace(self, before: Content, text: str) -> bool:
        """False when somebody else wrote in the same moment. Raises Stop.

        A thread cannot be stopped: when we are cancelled, what it does is waited for.
        """
        work = asyncio.ensure_future(asyncio.to_thread(self._file.replace, before, text, must_be_wanted))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await work
            raise
        except AdapterError as error:
            raise not_written(error) from None

    def _put_back(self, written: str, before: Content) -> None:
        """In the loop's own thread, so that nothing comes in between; it takes a few milliseconds."""
        try:
            now = self._file.read()
            if now.text == written and not self._file.replace(now, before.text):
                raise unknown("the file could not be put back: somebody else changed it just now")
        except AdapterError as error:
            raise unknown(f"the file could not be put back: {words(error)}") from None

    async def _settled(self, key: str, percent: Percent, before: Running) -> str:
        """Wait until nginx is seen to run with the file, and say what it says then.

        The file's time alone would not do: somebody else's reload right before ours looks as young.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout_s
        while True:
            try:
                content, nginx = await self._look()
                value = value_of(key, content, nginx, self._names)
            except AdapterError as error:
                raise not_read_back(error) from None
            if nginx.has_loaded(content) and not nginx.workers & before.workers:
                break
            if loop.time() > until:
                objection = await complaint(self._test, self._timeout_s)
                why = f"nginx has not renewed its workers within {self._timeout_s:g} s: {objection}"
                raise unknown(f"the file says {percent}, but {why}".rstrip(": "))
            await asyncio.sleep(_LOOK_AGAIN_S)
        if value.percent != percent:
            raise unknown(f"somebody else wrote: it reads {setting_words(value)}")
        left = f"; {nginx.leaving} old workers finish what they have" if nginx.leaving else ""
        return f"it reads {percent}, and nginx runs with it{left}"

    async def _look(self) -> tuple[Content, Running]:
        return await asyncio.to_thread(look, self._file, self._settings.pid_file, self._clock)

    async def _look_first(self) -> tuple[Content, Running]:
        try:
            return await self._look()
        except AdapterError as error:
            raise not_written(error) from None


def build_reader(settings: NginxSettings, web: Web, secret: Secrets, timeout_s: float) -> NginxReader:
    return NginxReader(settings, clock=web.clock)


def build_writer(settings: NginxSettings, web: Web, secret: Secrets, timeout_s: float) -> NginxWriter | None:
    """None without a program that tests the configuration."""
    if settings.test is None:
        return None
    return NginxWriter(settings, settings.test, timeout_s=timeout_s, clock=web.clock)
