"""Plain lines to standard output and standard error. Nothing here is worth loading late."""

from __future__ import annotations

import io
import sys


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


def say_error(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
