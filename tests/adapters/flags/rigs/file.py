"""Flags in files under the suite, one rig per format. The other hand writes the file anew, as people do."""

from __future__ import annotations

import itertools
import json
import os
import re
import tempfile
import tomllib
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import pytest
from ruamel.yaml import YAML

from cockpit.adapters.flags.file import FileWriter
from cockpit.adapters.flags.file_settings import FlagFileSettings
from cockpit.adapters.flags.file_store import Edit, FileStore
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import FULL, ZERO, Percent
from tests.adapters.flags.suite import EVIL, Act, Built, Can, Lever, LeverRig, Trouble, Truth, Vault
from tests.tables import written

_NUMBERS: Final = itertools.count()
_BROKEN: Final[Mapping[Trouble, bytes]] = {
    Trouble.HTML: f"<html>{EVIL}</html>".encode(),
    Trouble.HUGE: b"#" * 3_000_000,
    Trouble.CUT: b'{"flags": {"',
    Trouble.NONSENSE: b"\xff\xfe\x00",
}


class _Tap(FileStore):
    """Lets a test act in the last moment before the file is changed."""

    act: Act | None = None

    async def change(self, edit: Edit, *, patient: bool = True) -> None:
        if self.act is not None:
            act, self.act = self.act, None
            await act()
        await super().change(edit, patient=patient)


class FileRig(LeverRig):
    """The file holds a block per flag, between comments where the format has any."""

    settings: ClassVar[Mapping[str, object]]
    claims = frozenset(
        {*Can, *_BROKEN, Trouble.GONE, Built.USUAL, Built.IMPATIENT, Built.READ_ONLY, Built.ELSEWHERE}
    ) - {Can.TELLS_WHO}

    def __init__(self, folder: Path) -> None:
        self.path = folder / "flags"
        self._taps: list[_Tap] = []
        self.path.write_text(self.empty(), encoding="utf-8")

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[Self]:
        with tempfile.TemporaryDirectory() as folder:
            yield cls(Path(folder))

    @abstractmethod
    def empty(self) -> str: ...

    @abstractmethod
    def with_flag(self, text: str, key: str, percent: Percent, on: bool) -> str:
        """The text with this flag added, or written anew where it is there."""

    @abstractmethod
    def parsed(self, text: str) -> Any: ...

    @abstractmethod
    def told(self, document: Any, key: str) -> tuple[bool, Percent]: ...

    def build(self, how: Built = Built.USUAL) -> Lever:
        path = self.path if how is not Built.ELSEWHERE else self.path.with_name("absent")
        wanted = written(
            FlagFileSettings, {**self.settings, "path": str(path), "write": how is not Built.READ_ONLY}
        )
        web, vault, row = Web(), Vault({}), FLAG_SERVICES["file"]
        writer = row.writer(wanted, web, vault, 5.0)
        if isinstance(writer, FileWriter):
            tap = _Tap(str(path), timeout_s=5.0)
            writer._flags.store = tap
            self._taps.append(tap)
        return Lever(reader=row.reader(wanted, web, vault, 5.0), maybe_writer=writer, vault=vault)

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = f"flag_{next(_NUMBERS)}"
        self._write(self.with_flag(self.text(), key, percent, on))
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        on, _ = self.told(self.parsed(self.text()), key)
        self._write(self.with_flag(self.text(), key, percent, on))

    async def truth(self, key: str) -> Truth:
        on, percent = self.told(self.parsed(self.text()), key)
        return Truth(on=on, percent=percent, mark=None)

    def just_before_a_write(self, act: Act) -> None:
        for tap in self._taps:
            tap.act = act

    @asynccontextmanager
    async def trouble(self, kind: Trouble) -> AsyncIterator[None]:
        """Whatever is wrong with the file: a lever leaves it as it is."""
        kept = self.path.read_bytes()
        if kind is Trouble.GONE:
            self.path.unlink()
        else:
            self.path.write_bytes(_BROKEN[kind])
        try:
            yield
            assert self.path.exists() is (kind is not Trouble.GONE)
            assert kind is Trouble.GONE or self.path.read_bytes() == _BROKEN[kind]
        finally:
            self.path.write_bytes(kept)

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def _write(self, text: str) -> None:
        """As an editor saves: a new file in the place of the old one."""
        new = self.path.with_name("saving")
        new.write_text(text, encoding="utf-8")
        os.replace(new, self.path)


class FlagdRig(FileRig):
    name = "file-flagd"
    settings: ClassVar[Mapping[str, object]] = {"format": "flagd", "new": "convex", "legacy": "old"}

    def empty(self) -> str:
        return '{"$schema": "https://flagd.dev/schema/v0/flags.json",\n "flags": {}}\n'

    def with_flag(self, text: str, key: str, percent: Percent, on: bool) -> str:
        document = json.loads(text)
        new = percent.hundredths
        document["flags"][key] = {
            "state": "ENABLED" if on else "DISABLED",
            "variants": {"convex": True, "old": False},
            "defaultVariant": "old",
            "targeting": {
                "fractional": [{"var": "targetingKey"}, ["convex", new], ["old", 10_000 - new]],
            },
        }
        return json.dumps(document, indent=2)

    def parsed(self, text: str) -> Any:
        return json.loads(text)

    def told(self, document: Any, key: str) -> tuple[bool, Percent]:
        flag = document["flags"][key]
        weights = {entry[0]: entry[1] for entry in flag["targeting"]["fractional"][1:]}
        return flag["state"] == "ENABLED", Percent.of(weights["convex"], sum(weights.values()))


class BlockRig(FileRig):
    """Formats with comments: a flag is a block that can be found again."""

    @abstractmethod
    def block(self, key: str, percent: Percent, on: bool) -> str: ...

    def empty(self) -> str:
        return "# who may touch this: the release crew\n"

    def with_flag(self, text: str, key: str, percent: Percent, on: bool) -> str:
        block = f"# begin {key}\n{self.block(key, percent, on)}# end {key}\n"
        there = re.compile(f"# begin {key}\n.*?# end {key}\n", re.DOTALL)
        return there.sub(lambda _: block, text) if there.search(text) else text + block


class GoffRig(BlockRig):
    name = "file-goff"
    settings: ClassVar[Mapping[str, object]] = {"format": "goff", "new": "convex", "legacy": "old"}

    def block(self, key: str, percent: Percent, on: bool) -> str:
        left = (10_000 - percent.hundredths) / 100
        # `disable` is left out where nothing is disabled, as people do.
        return (
            f"{key}:\n  variations: {{old: false, convex: true}}\n  defaultRule:\n    percentage:"
            f" {{old: {left:g}, convex: {percent.value:g}}} # of users\n"
            + ("" if on else "  disable: true # for now\n")
        )

    def parsed(self, text: str) -> Any:
        return YAML(typ="safe", pure=True).load(text)

    def told(self, document: Any, key: str) -> tuple[bool, Percent]:
        flag = document[key]
        shares = flag["defaultRule"]["percentage"]
        assert sum(shares.values()) == 100
        return not flag.get("disable", False), Percent.parse(shares["convex"])


class JsonRig(FileRig):
    name = "file-json"
    settings: ClassVar[Mapping[str, object]] = {
        "format": "json",
        "percent": "/flags/{key}/share",
        "on": "/flags/{key}/on",
        "unit": "fraction",
        "step": 1,
    }
    step = Percent.parse(1)

    def empty(self) -> str:
        return '{"flags": {}, "on": true, "share": 1}'

    def with_flag(self, text: str, key: str, percent: Percent, on: bool) -> str:
        document = json.loads(text)
        document["flags"][key] = {"share": percent.hundredths / 10_000, "on": on, "note": '\u00e9 \\ " }'}
        return json.dumps(document)

    def parsed(self, text: str) -> Any:
        return json.loads(text)

    def told(self, document: Any, key: str) -> tuple[bool, Percent]:
        flag = document["flags"][key]
        return flag["on"], Percent.parse(flag["share"] * 100)


class TomlRig(BlockRig):
    name = "file-toml"
    settings: ClassVar[Mapping[str, object]] = {"format": "toml", "percent": "/flags/{key}/percent"}
    claims = FileRig.claims - {Can.SWITCH}

    def block(self, key: str, percent: Percent, on: bool) -> str:
        note = 'note = """\npercent = 7\n"""\n'
        return f'[flags."{key}"] # a header\n{note}percent = {percent.value} # of users\n'

    def parsed(self, text: str) -> Any:
        return tomllib.loads(text)

    def told(self, document: Any, key: str) -> tuple[bool, Percent]:
        return True, Percent.parse(document["flags"][key]["percent"])


class EnvRig(BlockRig):
    name = "file-env"
    settings: ClassVar[Mapping[str, object]] = {
        "format": "env",
        "variable": "{KEY}_PERCENT",
        "unit": "basis_points",
    }
    claims = FileRig.claims - {Can.SWITCH, Trouble.CUT, Trouble.HTML}

    def block(self, key: str, percent: Percent, on: bool) -> str:
        return (
            f'export {key.upper()}_PERCENT="{percent.hundredths}" # of users\n{key.upper()}_PERCENT_OLD=5\n'
        )

    def parsed(self, text: str) -> Any:
        return dict(re.findall(r'^(?:export )?(\w+)="?(\w+)"?', text, re.MULTILINE))

    def told(self, document: Any, key: str) -> tuple[bool, Percent]:
        return True, Percent(int(document[f"{key.upper()}_PERCENT"]))


class WordsRig(EnvRig):
    name = "file-env-words"
    settings: ClassVar[Mapping[str, object]] = {
        "format": "env",
        "variable": "USE_NEW_{KEY}",
        "on_value": "true",
        "off_value": "false",
    }
    step = FULL
    low, high, other = ZERO, FULL, FULL

    def block(self, key: str, percent: Percent, on: bool) -> str:
        return f"USE_NEW_{key.upper()}={'true' if percent == FULL else 'false'}\n"

    def told(self, document: Any, key: str) -> tuple[bool, Percent]:
        return True, {"true": FULL, "false": ZERO}[document[f"USE_NEW_{key.upper()}"]]


RIGS: tuple[type[LeverRig], ...] = (FlagdRig, GoffRig, JsonRig, TomlRig, EnvRig, WordsRig)
