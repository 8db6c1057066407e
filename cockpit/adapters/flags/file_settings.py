"""What a plan may say about flags in a file. Light on purpose: no parser is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final, Literal

from cockpit.adapters.base import Settings
from cockpit.adapters.fields import Pointer, needs_extra
from cockpit.core.clean import FULL, Percent
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After, Form, Size

KEY: Final = "{key}"
UPPER_KEY: Final = "{KEY}"
UNITS: Final = {"percent": 100, "fraction": 1, "basis_points": 10_000}


class FileFormat(StrEnum):
    FLAGD = "flagd"
    GOFF = "goff"
    JSON = "json"
    TOML = "toml"
    ENV = "env"


VARIANTS: Final = frozenset({FileFormat.FLAGD, FileFormat.GOFF})
POINTED: Final = frozenset({FileFormat.JSON, FileFormat.TOML})


def _path(path: str) -> str:
    if not os.path.isabs(path) or not path.isprintable() or path.endswith("/"):
        raise ValueError("an absolute path of a file, such as /etc/flags/flags.json")
    return path


def _with_key(pointer: str) -> str:
    if f"/{KEY}/" not in f"{pointer}/":
        raise ValueError("a pointer into a file of many flags holds {key}, such as /flags/{key}/percent")
    return pointer


def _step(step: float) -> float:
    finest = Percent.parse(step)
    if not finest.hundredths or 10_000 % finest.hundredths:
        raise ValueError("the step goes into 100 without a rest, such as 1, 0.5 or 5")
    return step


PointerOfOne = Annotated[Pointer, After(_with_key)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagFileSettings(Settings):
    """Flags in a file on this host, which something else (flagd, a relay proxy, your program) watches."""

    path: Annotated[str, After(_path)]
    """An absolute path. A symbolic link is followed once, and what it leads to is replaced."""
    format: FileFormat
    """flagd (JSON), goff (GO Feature Flag, YAML), or json, toml, env: a percentage of your own."""
    write: bool = False
    """Whether the cockpit may change the file; without it, it only watches."""
    new: Annotated[str, Size(1, 100)] | None = None
    """flagd and goff: the variant that sends users to the new side."""
    legacy: Annotated[str, Size(1, 100)] | None = None
    """flagd and goff: the variant that leaves users on legacy."""
    percent: PointerOfOne | None = None
    """json and toml: where the percentage stands, such as "/flags/{key}/percent"."""
    on: PointerOfOne | None = None
    """json and toml: where the switch stands. Without it a flag is always on."""
    variable: Annotated[str, Form(r"^[A-Za-z0-9_{}]{1,200}$")] | None = None
    """env: the variable of a flag; {key} is its key and {KEY} its key in capitals."""
    on_value: Annotated[str, Form(r"^[A-Za-z0-9_.-]{1,40}$")] | None = None
    """env: what stands for everybody, such as "true"; then only 0 and 100 % can be asked."""
    off_value: Annotated[str, Form(r"^[A-Za-z0-9_.-]{1,40}$")] | None = None
    """env: what stands for nobody."""
    unit: Literal["percent", "fraction", "basis_points"] = "percent"
    """json, toml and env: what everybody is: 100, 1 or 10000."""
    step: Annotated[float, After(_step)] = 0.01
    """The finest percentage that can be served; anything between is refused, not rounded."""

    @property
    def everybody(self) -> int:
        return UNITS[self.unit]

    @property
    def finest(self) -> Percent:
        return FULL if self.on_value is not None else Percent.parse(self.step)

    def __post_init__(self) -> None:
        for wrong, words in self._misfits():
            if wrong:
                raise ValueError(words)
        if self.format is FileFormat.GOFF:
            needs_extra("ruamel", "yaml")

    def _misfits(self) -> Iterator[tuple[bool, str]]:
        variants = self.new is not None and self.legacy is not None and self.new != self.legacy
        yield self.format in VARIANTS and not variants, f"{self.format} needs new and legacy, two variants"
        yield (
            self.format in POINTED and self.percent is None,
            f'{self.format} needs percent = "/.../{{key}}/..."',
        )
        named = self.variable is not None and (KEY in self.variable or UPPER_KEY in self.variable)
        yield self.format is FileFormat.ENV and not named, 'env needs variable = "{KEY}_PERCENT"'
        pair = (self.on_value is None) == (self.off_value is None)
        differ = self.on_value is None or self.on_value != self.off_value
        yield not (pair and differ), "on_value and off_value belong together and differ"
        yield self.on_value is not None and self.format is not FileFormat.ENV, "on_value is for env alone"
