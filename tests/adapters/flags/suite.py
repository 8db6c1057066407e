"""The suite that every lever passes: what a test knows about a flag service, whatever it speaks.

A lever is a reader and a writer of one flag service. `test_levers*.py` holds the cases; a rig tells them
how to get at one lever and at the service behind it. To put a new lever under the suite:

1. Add one file `tests/adapters/flags/rigs/NAME.py` with a subclass of `LeverRig`, and name it in that
   file's `RIGS`. Nothing else has to be touched: the file is found.
2. Set `name`; set `claims` to what the lever and the rig can do. A case runs for every rig that claims
   all that the case needs, so an honest set is all the configuration there is. `Can` is about the lever,
   `Trouble` about what the rig can do to the service, `Built` about the ways in which it can be built.
3. Set `step` to the finest percentage that the service can express and, where 10, 25 and 40 % are not
   possible, `low`, `high` and `other`. A service that knows on and off alone has step 100 %, low 0 %,
   high and other 100 %.
4. Write `open`, `build`, `flag`, `change` and `truth`; for `Can.MEDDLE` also `just_before_a_write`, and
   for any `Trouble` also `trouble`. For services that speak HTTP, `relay.Relay` in front of the service
   does these two.
5. Build through `table.FLAG_SERVICES`, with a `Vault` as the secrets, so that the table is tested, too.

What only one service does (its traps, its complexities) belongs into a test file of its own.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import ClassVar, Final

import pytest

from cockpit.adapters.base import AdapterError, FlagReader, FlagWriter
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteResult
from cockpit.core.secret import Secret, SecretRef

EVIL: Final = "\x1b[2J\x1b]52;c;cm0=\x07 [/] \u202egnp.exe \x9b31m zero\u200bwidth"
READ_SECRET: Final = {"env": "READ_TOKEN"}
WRITE_SECRET: Final = {"env": "WRITE_TOKEN"}

Act = Callable[[], Awaitable[None]]


class Can(StrEnum):
    """What a lever can do."""

    SWITCH = "a flag has a switch beside its percentage"
    GUARD = "a write fails when the flag was changed after the lever looked at it"
    TELLS_WHO = "the reader tells who changed a flag"
    TELLS_RIGHTS = "the service tells, without a write, whether a credential may write"
    MEDDLE = "the rig can act in the last moment before a write arrives"


class Trouble(StrEnum):
    """What the rig can do to the service, as the lever sees it, while `LeverRig.trouble` lasts."""

    GONE = "nobody is there"
    SILENT = "no answer comes, and nothing is done"
    ANSWER_LOST = "writes are done, but their answers do not arrive"
    UNWELCOME = "the credential is not accepted"
    FORBIDDEN = "the credential may not do this"
    THROTTLED = "asked to wait"
    FAILING = "the service fails by itself"
    HTML = "a page for people instead of an answer"
    HUGE = "more than anybody wants to read"
    CUT = "the answer ends too early"
    NOT_A_NUMBER = "NaN where a number belongs"
    NONSENSE = "well-formed, but something else"


class Built(StrEnum):
    """How a lever can be built."""

    USUAL = "may read and write"
    IMPATIENT = "the same with a deadline of half a second"
    READ_ONLY = "without anything to write with"
    MAY_ONLY_READ = "with a credential for writing that may not write"
    STRANGER = "with credentials that nobody knows"
    ELSEWHERE = "pointed at an environment, project or identity that is not there"


Claim = Can | Trouble | Built


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A flag behind the lever's back. mark: anything that is another thing after every write."""

    on: bool
    percent: Percent | None
    mark: object = None

    @property
    def exposure(self) -> Percent | None:
        return self.percent if self.on else ZERO


@dataclass(slots=True)
class Vault:
    """Secrets by the name of their environment variable; remembers who was asked for."""

    held: dict[str, str]
    asked: list[str] = field(default_factory=list)

    def __call__(self, ref: SecretRef) -> Secret:
        self.asked.append(ref.env or "")
        return Secret(self.held[ref.env or ""])


@dataclass(slots=True, kw_only=True)
class Lever:
    """A reader and its writer, and the secrets that were asked for to build them."""

    reader: FlagReader
    maybe_writer: FlagWriter | None
    vault: Vault

    @property
    def writer(self) -> FlagWriter:
        assert self.maybe_writer is not None
        return self.maybe_writer

    async def value(self, key: str) -> FlagValue:
        found = (await self.reader.read([key]))[key]
        assert isinstance(found, FlagValue), found
        return found

    async def read_trouble(self, key: str) -> AdapterError:
        """What reading one flag fails with, whether it fails for the flag or for the whole service."""
        try:
            found = (await self.reader.read([key]))[key]
        except AdapterError as error:
            return error
        assert isinstance(found, AdapterError), found
        return found

    async def set(self, key: str, percent: Percent) -> WriteResult:
        """From what the reader sees now."""
        return await self.writer.set_percent(key, percent, expected=await self.value(key))


class LeverRig(ABC):
    """One lever with the service behind it. Keys of flags are never used twice in one service."""

    name: ClassVar[str]
    claims: ClassVar[frozenset[Claim]]
    marks: ClassVar[tuple[pytest.MarkDecorator, ...]] = ()
    step: ClassVar[Percent] = Percent(1)
    low: ClassVar[Percent] = Percent.parse(10)
    high: ClassVar[Percent] = Percent.parse(25)
    other: ClassVar[Percent] = Percent.parse(40)

    @classmethod
    @abstractmethod
    def open(cls, request: pytest.FixtureRequest) -> AbstractAsyncContextManager[LeverRig]:
        """The rig while its service runs. `request` is there for session fixtures that are no coroutines."""

    @abstractmethod
    def build(self, how: Built = Built.USUAL) -> Lever:
        """A lever of its own, built as the cockpit would. The rig closes it."""

    @abstractmethod
    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        """The key of a new flag. `on` is False only for rigs that claim Can.SWITCH."""

    @abstractmethod
    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        """Somebody else stores another percentage. `who` counts for rigs that claim Can.TELLS_WHO, and
        may be hostile text."""

    @abstractmethod
    async def truth(self, key: str) -> Truth:
        """The flag as the service has it, not through the lever."""

    def name_of(self, who: str) -> str:
        """How the service names that person."""
        return who

    def just_before_a_write(self, act: Act) -> None:
        """Do this once, when the next write of the lever is about to arrive."""
        raise AssertionError(f"{self.name} claims {Can.MEDDLE.name} and does not know how")

    def trouble(self, kind: Trouble) -> AbstractAsyncContextManager[None]:
        raise AssertionError(f"{self.name} claims {kind.name} and does not know how")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return ()

    @property
    def absent(self) -> str:
        """The key of a flag that is not there."""
        return "no_such_flag"


def clean(value: object) -> None:
    """Fail when a text in the value, however deep, could act on a terminal."""
    for text in texts(value):
        assert not {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Co", "Cs"}, ascii(text)


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from texts(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from texts(getattr(value, each.name))
    elif isinstance(value, AdapterError):
        yield from texts(value.failure)
