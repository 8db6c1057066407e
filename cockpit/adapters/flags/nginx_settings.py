"""What a plan may say about nginx as a lever."""

from __future__ import annotations

import re
from typing import Annotated, Final

from cockpit.adapters.base import Settings
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After, Size

_VALUE: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,200}")


def _path(text: str) -> str:
    if not text.startswith("/") or not text.isprintable():
        raise ValueError("an absolute path is wanted")
    return text


def _value(text: str) -> str:
    if not _VALUE.fullmatch(text):
        raise ValueError("a side's value is letters, digits and . _ : / -")
    return text


def _argv(argv: tuple[str, ...]) -> tuple[str, ...]:
    if any("\0" in each for each in argv) or not argv[0].startswith("/"):
        raise ValueError('a program is named by its whole path, such as ["/usr/sbin/nginx", "-t"]')
    return argv


FilePath = Annotated[str, After(_path)]
Value = Annotated[str, After(_value)]
Program = Annotated[tuple[str, ...], Size(1), After(_argv)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxSettings(Settings):
    """One nginx on this host. The key of a flag is the variable (without $) that its block sets."""

    file: FilePath
    """The included file with the split_clients blocks. Nobody else may write it."""
    pid_file: FilePath
    """Where nginx keeps the process id of its master."""
    legacy: Value = "legacy"
    """What the variable holds for users on the legacy side."""
    new: Value = "new"
    """What the variable holds for users on the new side."""
    test: Program | None = None
    """What tests the configuration, such as ["/usr/sbin/nginx", "-t"]; without it the cockpit only reads."""
    reload: Program | None = None
    """How nginx is told to reload; without it by SIGHUP to its master."""
