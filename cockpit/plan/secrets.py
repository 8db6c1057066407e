"""Secrets by reference: how a plan writes one down, and how it is fetched when it is needed.

No message of this module repeats a value that was written, read or printed; only names, paths and
the first line that a failed command wrote to its standard error.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from cockpit.core.clean import clean_text
from cockpit.core.secret import Secret, SecretRef
from cockpit.plan import values
from cockpit.plan.locate import TomlPath
from cockpit.plan.opening import open_at_once
from cockpit.plan.problems import Report, unknown
from cockpit.plan.values import Expected

SECRET: Final = Expected(
    'a secret by reference: { env = "NAME" }, { file = "path" } or { command = ["program", "argument"] }'
)
_SOURCES: Final = ("env", "file", "command")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_REFUSED: Final = SecretRef(env="REFUSED")
_SIZE_LIMIT: Final = 16 * 1024


class SecretProblem(Exception):
    """A secret could not be fetched. The text names the reference and the reason, never the secret."""


def read_reference(value: object, path: TomlPath, report: Report) -> SecretRef:
    """The reference that stands at `path`. A wrong one is reported, and a harmless one returned."""
    if isinstance(value, SecretRef):
        return value
    if isinstance(value, str):
        report.add(path, f"a secret does not stand in the plan itself; expected {SECRET.words}")
        return _REFUSED
    if not isinstance(value, dict):
        report.add(path, f"expected {SECRET.words}, not {values.toml_type(value)}")
        return _REFUSED
    for key in value:
        if key not in (*_SOURCES, "timeout"):
            report.add((*path, key), unknown("key", key, (*_SOURCES, "timeout")))
    sources = [key for key in _SOURCES if key in value]
    if len(sources) != 1:
        report.add(path, f"{' and '.join(sources) or 'nothing'} given; expected {SECRET.words}")
        return _REFUSED
    return _read_source(sources[0], value, path, report)


def _read_source(source: str, table: dict[str, object], path: TomlPath, report: Report) -> SecretRef:
    if source == "command":
        return _read_command(table, path, report)
    if "timeout" in table:
        report.add((*path, "timeout"), "only a command has a timeout; expected it beside command")
    given = table[source]
    if source == "env" and isinstance(given, str) and _VARIABLE.fullmatch(given):
        return SecretRef(env=given)
    if source == "file" and isinstance(given, str) and given and given.isprintable():
        return SecretRef(file=given)
    what = "the name of an environment variable" if source == "env" else "the path of a file"
    report.add((*path, source), f"expected {what} in quotes")
    return _REFUSED


def _read_command(table: dict[str, object], path: TomlPath, report: Report) -> SecretRef:
    timeout_s = _REFUSED.timeout_s
    try:
        timeout_s = values.positive_duration(table["timeout"]) if "timeout" in table else timeout_s
    except ValueError as wrong:
        report.add((*path, "timeout"), str(wrong))
    given = table["command"]
    words = tuple(word for word in given if _is_argument(word)) if isinstance(given, list) else ()
    if not words or not words[0] or given != list(words):
        report.add((*path, "command"), 'expected a list of words such as ["pass", "show", "unleash"]')
        return _REFUSED
    return SecretRef(command=words, timeout_s=timeout_s)


def _is_argument(word: object) -> bool:
    return isinstance(word, str) and "\0" not in word


def resolve(ref: SecretRef, *, base_dir: Path) -> Secret:
    """Fetch the secret. A relative file, and the command's working directory, start at `base_dir`,
    the plan's directory. Blocks for as long as the command may run. Raises SecretProblem.
    """
    if ref.env is not None:
        return _usable(os.environ.get(ref.env), ref)
    if ref.file is not None:
        return _usable(_from_file(ref, ref.file, base_dir), ref)
    return _usable(_from_command(ref, base_dir), ref)


def _usable(raw: str | None, ref: SecretRef) -> Secret:
    """Secrets become header lines: one line of visible ASCII, or nothing."""
    if raw is None:
        raise SecretProblem(f"{_name(ref)}: is not set")
    text = raw.strip()
    if not text:
        raise SecretProblem(f"{_name(ref)}: is empty")
    if not (text.isascii() and text.isprintable()):
        raise SecretProblem(f"{_name(ref)}: holds line breaks, control characters or other than ASCII text")
    return Secret(text)


def _from_file(ref: SecretRef, name: str, base_dir: Path) -> str:
    path = base_dir / Path(name).expanduser()
    try:
        with open(path, "rb", opener=open_at_once) as file:
            refused = _why_not(os.fstat(file.fileno()))
            if refused:
                raise SecretProblem(f"{_name(ref)}: {refused}")
            return _decoded(file.read(_SIZE_LIMIT + 1), ref)
    except (OSError, ValueError) as trouble:
        raise SecretProblem(f"{_name(ref)}: {_os_reason(trouble)}") from None


def _why_not(status: os.stat_result) -> str:
    """Why a file must not hold a secret; empty when it may."""
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_uid not in (os.geteuid(), 0):
        return "belongs to another user"
    if status.st_mode & 0o066:
        return "group or others can read or change it; chmod 600 helps"
    return ""


def _from_command(ref: SecretRef, base_dir: Path) -> str:
    """The pipes are read only after the program has ended: what fits into them is far more than a
    secret, and a program that prints without end runs into its time limit instead of our memory."""
    try:
        process = subprocess.Popen(
            ref.command or (),
            cwd=base_dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as trouble:
        raise SecretProblem(f"{_name(ref)}: {_os_reason(trouble)}") from None
    with process:
        try:
            status = process.wait(ref.timeout_s)
        except subprocess.TimeoutExpired:
            raise SecretProblem(f"{_name(ref)}: did not end within {ref.timeout_s:g}s") from None
        finally:
            # The program's children too: one that lingers would hold the pipes open.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        if status:
            raise SecretProblem(f"{_name(ref)}: {_failure(status, process.stderr)}")
        return _decoded(_available(process.stdout), ref)


def _failure(status: int, stderr: IO[bytes] | None) -> str:
    said = _available(stderr).decode("utf-8", "replace").strip()
    ended = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
    return f"{ended}: {clean_text(said.splitlines()[0], limit=160)}" if said else ended


def _available(stream: IO[bytes] | None) -> bytes:
    """What stands in the pipe now, without waiting for whoever may still hold its other end."""
    if stream is None:
        return b""
    os.set_blocking(stream.fileno(), False)
    found = b""
    with suppress(BlockingIOError):
        while len(found) <= _SIZE_LIMIT:
            chunk = os.read(stream.fileno(), _SIZE_LIMIT + 1)
            if not chunk:
                break
            found += chunk
    return found


def _decoded(raw: bytes, ref: SecretRef) -> str:
    if len(raw) > _SIZE_LIMIT:
        raise SecretProblem(f"{_name(ref)}: is too long for a secret")
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise SecretProblem(f"{_name(ref)}: holds other than ASCII text") from None


def _os_reason(trouble: OSError | ValueError) -> str:
    return clean_text(
        (trouble.strerror if isinstance(trouble, OSError) else None) or "cannot be used", limit=100
    )


def _name(ref: SecretRef) -> str:
    return clean_text(ref, limit=200)
