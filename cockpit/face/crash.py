"""Where the details of a crash go: a file that only its owner can read, without the values of variables."""

from __future__ import annotations

import os
import tempfile
import traceback
from pathlib import Path


def write_crash(error: BaseException | None, directory: Path | None) -> str:
    """Write the traceback; the file's path, or why there is none."""
    lines = traceback.format_exception(error) if error is not None else ["no exception known\n"]
    try:
        handle, path = tempfile.mkstemp(prefix="cockpit-crash-", suffix=".txt", dir=directory)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(lines)
    except OSError as failure:
        return f"could not be written ({failure.strerror})"
    return path
