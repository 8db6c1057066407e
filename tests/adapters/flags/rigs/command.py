"""A program as a lever under the suite: a real one, over files, that guards and goes wrong when told to."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from cockpit.adapters.flags.command import CommandFlagSettings, CommandWriter, _Asked
from cockpit.adapters.http import Web
from cockpit.adapters.program import Ended
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import Percent
from tests.adapters.flags.suite import EVIL, Act, Built, Can, Lever, LeverRig, Trouble, Truth, Vault
from tests.tables import written

TOKEN: Final = "program-token-4f1c"
_TROUBLES: Final = frozenset(
    {
        Trouble.GONE,
        Trouble.SILENT,
        Trouble.ANSWER_LOST,
        Trouble.FAILING,
        Trouble.HTML,
        Trouble.HUGE,
        Trouble.CUT,
        Trouble.NOT_A_NUMBER,
        Trouble.NONSENSE,
    }
)
PROGRAM: Final = """#!%(python)s -I
import json, os, pathlib, sys, time

folder, asked = pathlib.Path(sys.argv[1]), json.load(sys.stdin)
told = folder / "trouble"
trouble = told.read_text() if told.exists() else ""
if trouble == "SILENT":
    time.sleep(3600)
if trouble == "FAILING":
    sys.exit("the registry fails by itself")
action, key = asked["action"], asked.get("flag")
if action != "read" and not (folder / key).exists():
    print("no such flag", file=sys.stderr)
    sys.exit(3)

def flag(name):
    file = folder / name
    return json.loads(file.read_text()) if file.exists() else {"error": "no such flag"}

if action != "read":
    before = flag(key)
    after = dict(before)
    if action == "set":
        if str(before["revision"]) != asked["expected"]["revision"]:
            print(f"somebody else changed it: it reads {before['percent']:g}%%", file=sys.stderr)
            sys.exit(3)
        after.update(on=True, percent=asked["percent"])
    elif action == "kill":
        after["on"] = False
    else:
        after["percent"] = 0
    if after != before:
        after["revision"] += 1
        (folder / f"{key}.new").write_text(json.dumps(after))
        os.replace(folder / f"{key}.new", folder / key)
    if trouble == "ANSWER_LOST":
        os.kill(os.getpid(), 9)
answer = json.dumps({name: flag(name) for name in asked.get("flags", [key])})
print({
    "HTML": "<!doctype html><html>Log in </html>",
    "HUGE": "x" * 3_000_000,
    "CUT": answer[: len(answer) // 2],
    "NOT_A_NUMBER": answer.replace('"percent": ', '"percent": NaN, "was": '),
    "NONSENSE": json.dumps([sys.argv[2], 7, None]),
}.get(trouble, answer))
"""


class _Tap(_Asked):
    """Lets a test act in the last moment before a program that writes is started."""

    act: Act | None = None

    async def answer(self, question: Mapping[str, object]) -> Ended:
        if self.act is not None and question["action"] != "read":
            act, self.act = self.act, None
            await act()
        return await super().answer(question)


class ProgramRig(LeverRig):
    name = "command"
    claims = frozenset(
        {
            Can.SWITCH,
            Can.GUARD,
            Can.MEDDLE,
            *_TROUBLES,
            Built.USUAL,
            Built.IMPATIENT,
            Built.READ_ONLY,
            Built.ELSEWHERE,
        }
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "flags"
        self._folder.mkdir()
        self._program = folder / "lever"
        self._install()
        self._taps: list[_Tap] = []
        self._free = itertools.count()

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[ProgramRig]:
        with tempfile.TemporaryDirectory() as folder:
            yield cls(Path(folder))

    def build(self, how: Built = Built.USUAL) -> Lever:
        folder = self._folder.with_name("elsewhere") if how is Built.ELSEWHERE else self._folder
        argv = [str(self._program), str(folder), EVIL]
        given = {"read": argv, "write": [] if how is Built.READ_ONLY else argv}
        wanted = written(CommandFlagSettings, {**given, "write_env": {"LEVER_TOKEN": {"env": "TOKEN"}}})
        row, web, vault = FLAG_SERVICES["command"], Web(), Vault({"TOKEN": TOKEN})
        timeout_s = 0.5 if how is Built.IMPATIENT else 30.0
        writer = row.writer(wanted, web, vault, timeout_s)
        if isinstance(writer, CommandWriter):
            tap = _Tap(writer._asked.argv, writer._asked._given, timeout_s)
            writer._asked = tap
            self._taps.append(tap)
        return Lever(reader=row.reader(wanted, web, vault, timeout_s), maybe_writer=writer, vault=vault)

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = f"flag{next(self._free)}"
        self._store(key, {"on": on, "percent": percent.value, "revision": 1})
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        stored = self._stored(key)
        self._store(key, {**stored, "percent": percent.value, "revision": stored["revision"] + 1})

    async def truth(self, key: str) -> Truth:
        stored = self._stored(key)
        return Truth(on=stored["on"], percent=Percent.parse(stored["percent"]), mark=stored["revision"])

    def just_before_a_write(self, act: Act) -> None:
        for tap in self._taps:
            tap.act = act

    @asynccontextmanager
    async def trouble(self, kind: Trouble) -> AsyncIterator[None]:
        told = self._folder / "trouble"
        if kind is Trouble.GONE:
            self._program.unlink()
        else:
            told.write_text(kind.name)
        try:
            yield
        finally:
            told.unlink(missing_ok=True)
            self._install()

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def _install(self) -> None:
        if not self._program.exists():
            self._program.write_text(PROGRAM % {"python": sys.executable})
            self._program.chmod(0o755)

    def _stored(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / key).read_text())
        return found

    def _store(self, key: str, flag: Mapping[str, object]) -> None:
        (self._folder / key).write_text(json.dumps(flag))


RIGS = (ProgramRig,)
