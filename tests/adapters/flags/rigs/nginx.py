"""nginx under the suite: a double of the program and, where it is installed, the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar, Final, cast

import pytest

from cockpit.adapters.flags.nginx import NginxWriter
from cockpit.adapters.flags.nginx_process import Content, SplitFile
from cockpit.adapters.flags.nginx_settings import NginxSettings
from cockpit.adapters.flags.nginx_split import Names, find_block, told_percent, with_percent
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import Percent
from cockpit.engine.clock import SystemClock
from tests.adapters.flags.nginx_double import NginxDouble
from tests.adapters.flags.suite import EVIL, Act, Built, Can, Lever, LeverRig, Trouble, Truth, Vault
from tests.real.nginx_server import FLAGS, Splitter, blocks
from tests.tables import written

NAMES = Names(legacy="legacy", new="new")
_BROKEN: Final[Mapping[Trouble, bytes]] = {
    Trouble.HTML: f"<html>{EVIL}</html>".encode(),
    Trouble.HUGE: b"#" * 3_000_000,
    Trouble.CUT: b'split_clients "$arg_id" $flag0 { 10% n',
    Trouble.NOT_A_NUMBER: b'split_clients "$arg_id" $other { NaN% new; }',
    Trouble.NONSENSE: b"\xff\xfe\x00",
}


class RealRig(LeverRig):
    name = "nginx-real"
    marks: ClassVar[tuple[pytest.MarkDecorator, ...]] = (pytest.mark.real,)
    claims = frozenset({Built.USUAL, Built.IMPATIENT, Built.READ_ONLY, Built.ELSEWHERE})
    server: ClassVar[str] = "real_nginx"
    timeout_s: ClassVar[float] = 30.0

    def __init__(self, nginx: Splitter) -> None:
        self._nginx = nginx
        self._free = iter(FLAGS)

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[RealRig]:
        nginx = cast(Splitter, request.getfixturevalue(cls.server))
        nginx.write(blocks(*FLAGS))
        nginx.reload()
        yield cls(nginx)

    def build(self, how: Built = Built.USUAL) -> Lever:
        nginx = self._nginx
        given = {
            "file": f"{nginx.split}.elsewhere" if how is Built.ELSEWHERE else str(nginx.split),
            "pid_file": str(nginx.pid_file),
            **({} if how is Built.READ_ONLY else {"test": nginx.test}),
        }
        settings, vault = written(NginxSettings, given), Vault({})
        timeout_s = 0.5 if how is Built.IMPATIENT else self.timeout_s
        row, web = FLAG_SERVICES["nginx"], Web(clock=SystemClock())
        return Lever(
            reader=row.reader(settings, web, vault, timeout_s),
            maybe_writer=row.writer(settings, web, vault, timeout_s),
            vault=vault,
        )

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = next(self._free)
        await self.change(key, percent)
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        self._nginx.write(with_percent(self._nginx.split.read_text(), key, percent, NAMES))
        self._nginx.reload()

    async def truth(self, key: str) -> Truth:
        block = find_block(self._nginx.split.read_text(), key)
        return Truth(on=True, percent=told_percent(block, NAMES)[0], mark=block.entries)


class _Tap(SplitFile):
    """Lets a test act in the last moment before the file is replaced, which a thread of its own does."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(path)
        self._loop = loop
        self.act: Act | None = None

    def replace(self, before: Content, text: str, allow: Callable[[], None] = lambda: None) -> bool:
        if self.act is not None:
            act, self.act = self.act, None
            asyncio.run_coroutine_threadsafe(_awaited(act), self._loop).result()
        return super().replace(before, text, allow)


async def _awaited(act: Act) -> None:
    await act()


class DoubleRig(RealRig):
    """What is wrong is the file, the master, or how long it takes to get to a reload."""

    name = "nginx-double"
    marks = ()
    claims = RealRig.claims | {
        Can.GUARD,
        Can.MEDDLE,
        *_BROKEN,
        Trouble.GONE,
        Trouble.FAILING,
        Trouble.ANSWER_LOST,
    }
    server = "practice_nginx"
    timeout_s = 5.0

    def __init__(self, nginx: Splitter) -> None:
        super().__init__(nginx)
        self._taps: list[_Tap] = []
        self._loop = asyncio.get_running_loop()

    def build(self, how: Built = Built.USUAL) -> Lever:
        lever = super().build(how)
        if isinstance(lever.maybe_writer, NginxWriter):
            tap = _Tap(str(lever.maybe_writer._file.path), self._loop)
            lever.maybe_writer._file = tap
            self._taps.append(tap)
        return lever

    def just_before_a_write(self, act: Act) -> None:
        for tap in self._taps:
            tap.act = act

    @asynccontextmanager
    async def trouble(self, kind: Trouble) -> AsyncIterator[None]:
        double = cast(NginxDouble, self._nginx)
        if kind is Trouble.FAILING:
            with double.gone():
                yield
        elif kind is Trouble.ANSWER_LOST:
            with double.fault("hold-reload"):
                yield
            double.reload()
        else:
            async with self._broken(kind):
                yield

    @asynccontextmanager
    async def _broken(self, kind: Trouble) -> AsyncIterator[None]:
        """A lever leaves a file alone that it does not understand."""
        split = self._nginx.split
        kept = split.read_bytes()
        if kind is Trouble.GONE:
            split.unlink()
        else:
            split.write_bytes(_BROKEN[kind])
        try:
            yield
            assert split.exists() is (kind is not Trouble.GONE)
            assert kind is Trouble.GONE or split.read_bytes() == _BROKEN[kind]
        finally:
            split.write_bytes(kept)
            self._nginx.reload()


RIGS = (DoubleRig, RealRig)
