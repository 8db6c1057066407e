"""Plain lines to standard output and standard error. Nothing here is worth loading late."""

from __future__ import annotations

import io
import os
import sys
from typing import Final

STANDARD_OUTPUT: Final = 1
STANDARD_ERROR: Final = 2


class OutputLost(OSError):
    """Standard output cannot be written: a full disk, a line that is gone. The text says so in words."""


def speak_plainly() -> None:
    """Let no text end a command: what the output's encoding lacks is written as an escape."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """One line on standard output, at once. Raises BrokenPipeError for a reader who left, OutputLost."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as trouble:
        raise OutputLost(f"standard output cannot be written: {trouble.strerror}") from None


def say_folded(line: str, *, hanging: int = 0) -> None:
    """One line for a program that reads it; for a person, as many as the terminal's width asks for."""
    import shutil
    import textwrap

    if not sys.stdout.isatty():
        say(line)
        return
    columns = max(40, shutil.get_terminal_size().columns)
    for part in textwrap.wrap(line, columns, subsequent_indent=" " * hanging, break_on_hyphens=False) or [""]:
        say(part)


def say_error(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def let_go(*numbers: int) -> None:
    """Nobody can read these any more: what Python flushes at its end must not change the exit code."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(nowhere, number)
    os.close(nowhere)
