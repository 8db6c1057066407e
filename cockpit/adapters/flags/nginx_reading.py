"""What nginx serves: the split file as it stands, together with whether nginx runs with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.flags.lines import flag_lines
from cockpit.adapters.flags.nginx_process import Content, Running, SplitFile, running
from cockpit.adapters.flags.nginx_settings import NginxSettings
from cockpit.adapters.flags.nginx_split import Names, find_block, told_percent
from cockpit.adapters.flags.outcome import words
from cockpit.adapters.http_path import plan_fault
from cockpit.core.model import FlagValue

if TYPE_CHECKING:
    from cockpit.core.clock import Clock

_VARIABLE: Final = re.compile(r"[A-Za-z0-9_]{1,100}")


class NginxReader:
    def __init__(self, settings: NginxSettings, *, clock: Clock | None) -> None:
        self._settings = settings
        self._clock = clock
        self._file = SplitFile(settings.file)

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        content, nginx = await asyncio.to_thread(look, self._file, self._settings.pid_file, self._clock)
        found: dict[str, FlagValue | AdapterError] = {}
        for key in keys:
            try:
                found[key] = value_of(key, content, nginx, names_of(self._settings))
            except AdapterError as error:
                found[key] = error
        return found

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        subject = f"nginx with {self._file.shown}"
        try:
            found = await self.read(keys)
        except AdapterError as error:
            return [Preflight(subject=subject, question="it runs", ok=False, detail=words(error))]
        lines = [Preflight(subject=subject, question="it runs", ok=True, detail="its workers were found")]
        return lines + [line for key, value in found.items() for line in flag_lines(key, value)]

    async def aclose(self) -> None:
        """Nothing is kept open."""


def look(file: SplitFile, pid_file: str, clock: Clock | None) -> tuple[Content, Running]:
    """The file before the workers: loaded in between does not count as loaded. Raises AdapterError."""
    content = file.read()
    return content, running(pid_file, clock)


def value_of(key: str, content: Content, nginx: Running, names: Names) -> FlagValue:
    """Raises AdapterError. There is no switch: a flag without users on the new side is at 0 %."""
    if not _VARIABLE.fullmatch(key):
        raise plan_fault("not the name of a variable of nginx")
    block = find_block(content.text, key)
    percent, notes = told_percent(block, names)
    loaded = nginx.has_loaded(content)
    if not loaded:
        told = "nginx still runs with what was there before this file was changed"
        untold = "nobody can tell whether nginx runs with this file"
        percent, notes = None, (told if loaded is False else untold, *notes)
    return FlagValue(key=key, on=True, percent=percent, complexities=notes, revision=block.revision)


def names_of(settings: NginxSettings) -> Names:
    return Names(legacy=settings.legacy, new=settings.new)
