"""Flags in a file on this host: flagd, GO Feature Flag, or a percentage of your own in JSON, TOML, .env.

What it is built around: whoever watches the file must never see half of it, so it is replaced in one
step; people edit it by hand, so nothing is touched but the value that was meant; and other flags change
in it, so the guard is this flag's own part, compared under a lock in the very content that is replaced.
A kill means what the format has for it: state DISABLED (flagd), disable: true (GO Feature Flag), 0 % and
the switch off (the others). The first two leave users to the default in the program's code.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight, RefusedByService
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.file_edit import Changes, Syntax, edited, parsed
from cockpit.adapters.flags.file_settings import VARIANTS, FileFormat, FlagFileSettings
from cockpit.adapters.flags.file_shapes import Told, shape_of
from cockpit.adapters.flags.file_store import Content, FileStore
from cockpit.adapters.flags.file_syntax import EnvSyntax, JsonSyntax, TomlSyntax
from cockpit.adapters.flags.file_watch import stirs
from cockpit.adapters.flags.lines import flag_lines
from cockpit.adapters.flags.outcome import Stop, not_read_back, not_written, refused, reported, unknown, words
from cockpit.adapters.flags.turns import Turn, Turns, must_be_as_expected
from cockpit.core.agreement import setting_words
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import Fault, FlagValue, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

Wanted = Callable[[object], Changes]


class _Flags:
    """One file's flags, as its format has them."""

    def __init__(self, settings: FlagFileSettings, store: FileStore) -> None:
        self.store = store
        self.shape = shape_of(settings)
        self.syntax = _syntax(settings.format)

    def document(self, content: Content) -> object:
        """Raises BrokenAnswer."""
        return parsed(self.syntax, content.text, self.store.name)

    def value(self, content: Content, document: object, key: str) -> FlagValue:
        """Raises AdapterError."""
        told = self.shape.tell(document, key)
        return _value(key, told, content)

    async def look(self, key: str) -> FlagValue:
        """Raises AdapterError."""
        content = await self.store.read()
        return self.value(content, self.document(content), key)


class FileReader:
    """Reads the file once per poll. When it was changed counts from when this flag's own part was."""

    def __init__(self, flags: _Flags) -> None:
        self._flags = flags
        self._last: dict[str, FlagValue] = {}

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        content = await self._flags.store.read()
        document = self._flags.document(content)
        return {key: self._one(content, document, key) for key in keys}

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        found: Mapping[str, FlagValue | AdapterError]
        try:
            found = await self.read(keys)
        except AdapterError as error:
            found = dict.fromkeys(keys, error)
        return [line for key in keys for line in flag_lines(key, found[key])]

    def stirs(self) -> AsyncGenerator[None]:
        return stirs(self._flags.store.path)

    async def aclose(self) -> None:
        """Nothing is kept open between polls."""

    def _one(self, content: Content, document: object, key: str) -> FlagValue | AdapterError:
        try:
            value = self._flags.value(content, document, key)
        except AdapterError as error:
            return error
        last = self._last.get(key)
        if last is not None and last.revision == value.revision:
            value = replace(value, changed_at=last.changed_at)
        self._last[key] = value
        return value


class FileWriter:
    """Changes one value of the file, and reads back what became of it."""

    def __init__(self, settings: FlagFileSettings, flags: _Flags) -> None:
        self._settings = settings
        self._flags = flags
        self._turns = Turns()
        self._off = False if settings.format in VARIANTS or settings.on is not None else None

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._kill(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._zero(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        subject, question = f"file {self._flags.store.name}", "the file can be replaced"
        try:
            trouble = await self._flags.store.refusal()
            content = await self._flags.store.read()
            document = self._flags.document(content)
        except AdapterError as error:
            return [Preflight(subject=subject, question=question, ok=False, detail=words(error))]
        lines = [Preflight(subject=subject, question=question, ok=not trouble, detail=trouble or "it can")]
        return lines + [self._dry_run(content, document, key) for key in keys]

    async def aclose(self) -> None:
        """Nothing is kept open between writes."""

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        if percent.hundredths % self._settings.finest.hundredths:
            steps = self._settings.finest
            raise refused(f"the plan knows steps of {steps} only, not {percent}", Fault.PLAN)
        seen = await self._look_first(key)
        must_be_as_expected(seen, expected)
        if seen.percent == percent and (seen.on or percent == ZERO):
            return f"it reads {percent} already"
        on = True if not seen.on and percent != ZERO else None

        def edit(content: Content) -> str:
            document = self._flags.document(content)
            must_be_as_expected(self._flags.value(content, document, key), seen)
            turn.check()
            return edited(
                self._flags.syntax, content.text, self._flags.shape.changes(document, key, percent, on)
            )

        await self._change(edit)
        now = await self._look_back(key)
        if now.percent == now.exposure == percent and not now.complexities:
            return f"it reads {percent}"
        raise unknown(f"{percent} was written, but it reads {setting_words(now)}")

    async def _kill(self, key: str) -> str:
        await self._change(self._killing(key), patient=False)
        now = await self._look_back(key)
        if now.exposure == ZERO:
            return f"it reads {setting_words(now)}"
        raise unknown(f"the kill was written, but it reads {setting_words(now)}")

    def _killing(self, key: str) -> Callable[[Content], str]:
        """A kill of a format with a switch leaves the percentage to `zero`, so that it may never fail over
        a split that is not plain."""
        percent = None if self._settings.format in VARIANTS else ZERO
        return lambda content: self._edited(content, key, percent, self._off)

    async def _zero(self, key: str) -> str:
        await self._change(lambda content: self._edited(content, key, ZERO, None))
        now = await self._look_back(key)
        if now.percent == ZERO:
            return "the stored percentage is 0%"
        raise unknown(f"0% was written, but it reads {setting_words(now)}")

    def _edited(self, content: Content, key: str, percent: Percent | None, on: bool | None) -> str:
        document = self._flags.document(content)
        self._flags.shape.tell(document, key)
        changes = self._flags.shape.changes(document, key, percent, on)
        return edited(self._flags.syntax, content.text, changes)

    async def _change(self, edit: Callable[[Content], str], *, patient: bool = True) -> None:
        """Raises Stop. What could not be read or understood was not written."""
        try:
            await self._flags.store.change(edit, patient=patient)
        except (RefusedByService, BrokenAnswer) as error:
            raise not_written(error) from None

    async def _look_first(self, key: str) -> FlagValue:
        try:
            return await self._flags.look(key)
        except AdapterError as error:
            raise not_written(error) from None

    async def _look_back(self, key: str) -> FlagValue:
        try:
            return await self._flags.look(key)
        except AdapterError as error:
            raise not_read_back(error) from None

    def _dry_run(self, content: Content, document: object, key: str) -> Preflight:
        """What a kill and a percentage would make of the text, without writing it."""
        question = "it can be changed without touching anything else"
        try:
            value = self._flags.value(content, document, key)
            self._killing(key)(content)
            if not value.complexities:
                self._edited(content, key, self._settings.finest, None)
        except AdapterError as error:
            return Preflight(subject=key, question=question, ok=False, detail=words(error))
        except Stop as stop:
            return Preflight(subject=key, question=question, ok=False, detail=stop.detail)
        return Preflight(subject=key, question=question, ok=True, detail="it can")


def _value(key: str, told: Told, content: Content) -> FlagValue:
    return FlagValue(
        key=key,
        on=told.on,
        percent=told.percent,
        complexities=told.complexities,
        revision=told.revision,
        changed_at=content.changed_at,
    )


def _syntax(format_: FileFormat) -> Syntax:
    if format_ is FileFormat.GOFF:
        # The only one whose parser is an extra.
        from cockpit.adapters.flags.file_yaml import YamlSyntax

        return YamlSyntax()
    if format_ is FileFormat.TOML:
        return TomlSyntax()
    return EnvSyntax() if format_ is FileFormat.ENV else JsonSyntax()


def build_reader(settings: FlagFileSettings, web: Web, secret: Secrets, timeout_s: float) -> FileReader:
    return FileReader(_Flags(settings, FileStore(settings.path, timeout_s=timeout_s)))


def build_writer(
    settings: FlagFileSettings, web: Web, secret: Secrets, timeout_s: float
) -> FileWriter | None:
    """None unless the plan says write = true."""
    if not settings.write:
        return None
    return FileWriter(settings, _Flags(settings, FileStore(settings.path, timeout_s=timeout_s)))
