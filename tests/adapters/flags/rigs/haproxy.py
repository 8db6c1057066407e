"""HAProxy under the suite: a double of its socket and, where it is installed, the real server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol, cast

import pytest

from cockpit.adapters.flags.haproxy_settings import HaproxySettings
from cockpit.adapters.flags.haproxy_state import read_split, weights_for
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import Percent
from tests.adapters.flags.haproxy_double import haproxy_double
from tests.adapters.flags.suite import EVIL, Act, Built, Can, Lever, LeverRig, Trouble, Truth, Vault
from tests.real.haproxy_server import FLAGS, Haproxy
from tests.tables import written

_BROKEN = {
    Trouble.HTML: f"<html>{EVIL}</html>".encode(),
    Trouble.HUGE: b"x" * 3_000_000,
    Trouble.NONSENSE: f"{EVIL}\n\n".encode(),
    Trouble.FORBIDDEN: b"Permission denied\n\n",
}


class Talker(Protocol):
    def say(self, line: str, *, level: str | None = None) -> str: ...


class Door:
    """A socket in front of HAProxy's, with a hand on it. `level` is that of the socket behind it."""

    def __init__(self, path: Path, behind: Talker, level: str) -> None:
        self.path = path
        self._behind = behind
        self._level = level
        self._server: asyncio.Server | None = None
        self.act: Act | None = None
        self.kind: Trouble | None = None
        self.writes: Counter[str] = Counter()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            line = (await reader.readline()).decode().rstrip("\n")
            writer.write(await self._answer(line, reader))
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, line: str, reader: asyncio.StreamReader) -> bytes:
        kind, writes = self.kind, line.startswith("set ")
        if writes and self.act is not None:
            act, self.act = self.act, None
            await act()
        if kind is Trouble.SILENT:
            await reader.read()
            return b""
        if kind is Trouble.FORBIDDEN:
            return _BROKEN[kind]
        if writes and self._level == "admin":
            self.writes[line.split()[2].partition("/")[0]] += 1
        answer = self._behind.say(line, level=self._level).encode()
        if kind is Trouble.ANSWER_LOST and writes:
            return b""
        if kind is Trouble.CUT:
            return answer[: len(answer) // 2]
        if kind is Trouble.NOT_A_NUMBER:
            return answer.replace(b" 100 ", b" NaN ")
        return _BROKEN.get(kind, answer) if kind is not None else answer


class DoubleRig(LeverRig):
    name = "haproxy-double"
    claims = frozenset(
        {
            Can.SWITCH,
            Can.MEDDLE,
            Can.TELLS_RIGHTS,
            *(set(Built) - {Built.STRANGER}),
            *_BROKEN,
            Trouble.GONE,
            Trouble.SILENT,
            Trouble.ANSWER_LOST,
            Trouble.CUT,
            Trouble.NOT_A_NUMBER,
        }
    )

    def __init__(self, behind: Talker, admin: Door, user: Door) -> None:
        self._behind = behind
        self._admin = admin
        self._user = user
        self._free = iter(FLAGS)

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[DoubleRig]:
        folder = request.getfixturevalue("tmp_path")
        async with AsyncExitStack() as stack:
            behind = await cls.behind(request, stack)
            admin, user = (Door(folder / f"{level}.door", behind, level) for level in ("admin", "user"))
            for door in (admin, user):
                await door.open()
                stack.push_async_callback(door.close)
            yield cls(behind, admin, user)

    @classmethod
    async def behind(cls, request: pytest.FixtureRequest, stack: AsyncExitStack) -> Talker:
        return await stack.enter_async_context(haproxy_double(request.getfixturevalue("tmp_path")))

    def build(self, how: Built = Built.USUAL) -> Lever:
        write = self._user if how is Built.MAY_ONLY_READ else self._admin
        given = {
            "socket": str(self._user.path),
            **({} if how is Built.READ_ONLY else {"write_socket": str(write.path)}),
            **({"new": "convex"} if how is Built.ELSEWHERE else {}),
        }
        settings, vault = written(HaproxySettings, given), Vault({})
        timeout_s = 0.5 if how is Built.IMPATIENT else 5.0
        row, web = FLAG_SERVICES["haproxy"], Web()
        return Lever(
            reader=row.reader(settings, web, vault, timeout_s),
            maybe_writer=row.writer(settings, web, vault, timeout_s),
            vault=vault,
        )

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = next(self._free)
        self._behind.say(f"set server {key}/new state {'ready' if on else 'drain'}")
        await self.change(key, percent)
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        weights = weights_for(percent)
        assert weights is not None
        self._behind.say(f"set weight {key}/legacy {weights.legacy};set weight {key}/new {weights.new}")

    async def truth(self, key: str) -> Truth:
        told = self._behind.say(f"show servers state {key}")
        value = read_split(told, backend=key, legacy="legacy", new="new").value(key)
        return Truth(on=value.on, percent=value.percent, mark=self._admin.writes[key])

    def just_before_a_write(self, act: Act) -> None:
        self._admin.act = act

    @asynccontextmanager
    async def trouble(self, kind: Trouble) -> AsyncIterator[None]:
        doors = (self._admin, self._user)
        for door in doors:
            door.kind = kind
            if kind is Trouble.GONE:
                await door.close()
        try:
            yield
        finally:
            for door in doors:
                door.kind = None
                if kind is Trouble.GONE:
                    await door.open()


class RealRig(DoubleRig):
    name = "haproxy-real"
    marks = (pytest.mark.real,)

    @classmethod
    async def behind(cls, request: pytest.FixtureRequest, stack: AsyncExitStack) -> Talker:
        return cast(Haproxy, request.getfixturevalue("real_haproxy"))


RIGS = (DoubleRig, RealRig)
