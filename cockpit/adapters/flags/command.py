"""Flags behind a program of the user: one JSON object on standard input, one on standard output.

It is told {"action": "read", "flags": [...]}, or {"action": "set"|"kill"|"zero", "flag": ..., "percent":
..., "expected": {...}}, and answers {flag: {"on": ..., "percent": ..., "revision": ..., "changed_by": ...}}.
A flag that it cannot tell is {"error": "why"}. Exit code 0 and such an answer is done; exit code 3 is
refused, nothing changed; every other end is unknown and settled by reading. `program` runs it: by its
argument list, never by a shell, with a plain environment, ended as a group past its time limit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from shutil import which
from typing import TYPE_CHECKING, Annotated, Final

from cockpit.adapters.base import (
    AdapterError,
    BrokenAnswer,
    Preflight,
    RefusedByService,
    ServiceTrouble,
    Settings,
)
from cockpit.adapters.credentials import Secrets, blanked
from cockpit.adapters.fields import Argument, Reference, Variable
from cockpit.adapters.flags.lines import flag_lines
from cockpit.adapters.flags.outcome import refused, reported, unknown
from cockpit.adapters.flags.turns import Turn, Turns
from cockpit.adapters.leaving import must_be_wanted
from cockpit.adapters.program import Ended, plain_environment, program_name, run, said_lines
from cockpit.core.clean import ZERO, Percent, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault, FlagValue, WriteResult
from cockpit.core.secret import Secret
from cockpit.core.tables import Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

REFUSED_CODE: Final = 3
_NO_NUMBER: Final = "no single percentage"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFlagSettings(Settings):
    """A program that reads and writes flags. Never a shell.

    Its arguments can be seen by everybody on this host: a secret goes into `env` or `write_env`.
    """

    read: Annotated[tuple[Argument, ...], Size(1)]
    """The program that tells how flags are set, and its arguments."""
    write: tuple[Argument, ...] = ()
    """The program that sets them; it may be the same. Without it this service can only be read."""
    env: Mapping[Variable, Reference] = field(default_factory=dict)
    """Secrets for both, by reference: variable = { env = "NAME" } and so on."""
    write_env: Mapping[Variable, Reference] = field(default_factory=dict)
    """Secrets for `write` alone; a cockpit that only watches never reads them."""


class _Asked:
    """One program with its secrets."""

    def __init__(self, argv: Sequence[str], given: Mapping[str, Secret], timeout_s: float) -> None:
        self.argv = tuple(argv)
        self._given = given
        self._timeout_s = timeout_s
        self.name = program_name(self.argv)

    async def answer(self, question: Mapping[str, object]) -> Ended:
        """Run it once. Raises AdapterError as `program.run` does."""
        secrets = {name: value.reveal() for name, value in self._given.items()}
        stdin = json.dumps(question, sort_keys=True).encode() + b"\n"
        environment = {**plain_environment(), "LC_ALL": "C.UTF-8", **secrets}
        return await run(self.argv, environment=environment, timeout_s=self._timeout_s, stdin=stdin)

    def complaint(self, ended: Ended) -> str:
        """What it said about its end, clean and without the secrets that we handed over."""
        return next(said_lines(self._blanked(ended.err.decode("utf-8", "replace")).encode()), "")

    def _blanked(self, text: str) -> str:
        return blanked(text, self._given.values())

    def flags(self, ended: Ended) -> Mapping[str, object]:
        """The object it answered with, its texts without our secrets. Raises BrokenAnswer."""
        try:
            found = json.loads(ended.out.decode("utf-8"))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            title = f"{self.name} did not answer with one JSON object"
            raise BrokenAnswer(Failure(title=title, detail=self.complaint(ended), fault=Fault.PLAN))
        return {key: self._without_secrets(told) for key, told in found.items()}

    def _without_secrets(self, told: object) -> object:
        """One flag's own object; once it is parsed no escape hides anything."""
        if not isinstance(told, dict):
            return told
        return {key: self._blanked(word) if isinstance(word, str) else word for key, word in told.items()}


class CommandReader:
    """Asks the program once per poll, for all flags at once."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        ended = await self._asked.answer({"action": "read", "flags": list(keys)})
        if ended.code != 0:
            title = f"{self._asked.name} {ended.words}"
            failure = Failure(title=title, detail=self._asked.complaint(ended), fault=Fault.PLAN)
            raise ServiceTrouble(failure)
        found = self._asked.flags(ended)
        return {key: _told(key, found.get(key), self._asked.name) for key in keys}

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        found: Mapping[str, FlagValue | AdapterError]
        try:
            found = await self.read(keys)
        except AdapterError as error:
            found = dict.fromkeys(keys, error)
        return [line for key in keys for line in flag_lines(key, found[key])]

    async def aclose(self) -> None:
        """Nothing runs between polls."""


class CommandWriter:
    """Each write is one run of the program."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._turns = Turns()

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._write("kill", key, ZERO)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._write("zero", key, ZERO))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        """Whether the program is there; only a write could show what it may do."""
        there = which(self._asked.argv[0]) is not None
        detail = "it is" if there else "it is not, or cannot be started"
        question = "the program that writes is there"
        return [Preflight(subject=self._asked.name, question=question, ok=there, detail=detail)]

    async def aclose(self) -> None:
        """Nothing runs between writes."""

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        turn.check()
        return await self._write("set", key, percent, expected)

    async def _write(self, action: str, key: str, percent: Percent, expected: FlagValue | None = None) -> str:
        """What it said when done. Stops with what is known else."""
        question: dict[str, object] = {"action": action, "flag": key}
        if expected is not None:
            question.update(percent=percent.value, expected=_guard(expected))
        must_be_wanted()
        ended = await self._asked.answer(question)
        if ended.code == REFUSED_CODE:
            raise refused(f"{self._asked.name} refused: {self._asked.complaint(ended) or 'without a word'}")
        if ended.code != 0:
            raise unknown(f"{self._asked.name} {ended.words}: {self._asked.complaint(ended)}".rstrip(": "))
        try:
            value = _told(key, self._asked.flags(ended).get(key), self._asked.name)
        except BrokenAnswer as error:
            raise unknown(error.failure.title) from None
        if isinstance(value, AdapterError):
            raise unknown(value.failure.title)
        if (value.percent if action == "zero" else value.exposure) != percent:
            raise unknown(f"{self._asked.name} answered with another setting than was asked")
        return f"{self._asked.name} says {value.exposure}"


def _guard(expected: FlagValue) -> dict[str, object]:
    percent = None if expected.percent is None else expected.percent.value
    return {"on": expected.on, "percent": percent, "revision": expected.revision}


def _told(key: str, told: object, name: str) -> FlagValue | AdapterError:
    """One flag of an answer; its own error where it is none."""
    if isinstance(told, dict) and isinstance(told.get("error"), str):
        title = clean_text(f"{name}: {told['error']}", limit=160)
        return RefusedByService(Failure(title=title, retryable=False, fault=Fault.PLAN))
    if not isinstance(told, dict) or not isinstance(told.get("on"), bool):
        return BrokenAnswer(Failure(title=f"{name} does not tell whether {key} is on", fault=Fault.PLAN))
    try:
        percent = None if told.get("percent") is None else Percent.parse(told["percent"])
    except ValueError as error:
        return BrokenAnswer(Failure(title=f"{name} on {key}: {error}", fault=Fault.PLAN))
    return FlagValue(
        key=key,
        on=told["on"],
        percent=percent,
        complexities=() if percent is not None else (_NO_NUMBER,),
        revision=_words(told.get("revision")),
        changed_by=_words(told.get("changed_by")),
    )


def _words(told: object) -> str | None:
    return clean_text(told, limit=80) or None if isinstance(told, str | int) else None


def build_reader(settings: CommandFlagSettings, web: Web, secret: Secrets, timeout_s: float) -> CommandReader:
    """Raises what `secret` raises."""
    given = {name: secret(reference) for name, reference in settings.env.items()}
    return CommandReader(_Asked(settings.read, given, timeout_s))


def build_writer(
    settings: CommandFlagSettings, web: Web, secret: Secrets, timeout_s: float
) -> CommandWriter | None:
    """None without a program to write with. Raises what `secret` raises."""
    if not settings.write:
        return None
    both = {**settings.env, **settings.write_env}
    return CommandWriter(
        _Asked(settings.write, {name: secret(each) for name, each in both.items()}, timeout_s)
    )
