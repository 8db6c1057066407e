"""Reading a plan: a file in, a `Plan` or every one of its problems out."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cockpit.core.clean import clean_text
from cockpit.core.spec import Plan
from cockpit.plan.build import Builder
from cockpit.plan.checks import check
from cockpit.plan.fields import Document
from cockpit.plan.kinds import Kinds, own_part, read_settings
from cockpit.plan.locate import locate
from cockpit.plan.opening import open_at_once
from cockpit.plan.problems import PlanProblems, Problem, Report
from cockpit.plan.reading import read_table

SIZE_LIMIT: Final = 256 * 1024
DEPTH_LIMIT: Final = 16
_KEY_PARTS_LIMIT: Final = 200
_QUOTED: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_TOML_PLACE: Final = re.compile(r"(?P<what>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)", re.DOTALL)


def load(path: Path, kinds: Kinds) -> Plan:
    """The plan in the file at `path`. Raises PlanProblems, and nothing else, for whatever is in it."""
    return parse(read_plan_file(path), path, kinds)


def read_plan_file(path: Path) -> bytes:
    """The bytes of a plan file. Raises PlanProblems for what is not a file of sensible size."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _whole_file(path, "is not a regular file; expected a plan in TOML")
            content = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as trouble:
        raise _whole_file(path, _open_trouble(trouble)) from None
    if len(content) > SIZE_LIMIT:
        raise _whole_file(path, f"is too large for a plan; expected at most {SIZE_LIMIT // 1024} KiB")
    return content


def parse(content: bytes, path: Path, kinds: Kinds) -> Plan:
    """The plan in `content`, which was read from `path`. Raises PlanProblems."""
    text = _decoded(content, path)
    document = _toml(text, path)
    report = Report(_shown(path), document, lambda: locate(text))
    settings = read_settings(document, kinds, report)
    written = read_table(own_part(document, kinds), Document, (), report)
    check(document, kinds, report)
    if report.problems or written is None:
        raise PlanProblems(report.problems)
    builder = Builder(document=written, settings=settings)
    return builder.plan(digest=sha256(content).hexdigest(), source=str(path.absolute()))


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line = content.count(b"\n", 0, broken.start) + 1
        raise _whole_file(path, "is not UTF-8 text; expected a plan in TOML", line=line) from None


def _toml(text: str, path: Path) -> dict[str, Any]:
    _refuse_endless_keys(text, path)
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise _whole_file(path, "is nested too deeply for a plan") from None
    except ValueError as broken:
        raise _syntax(path, text, str(broken)) from None
    if _depth_exceeds(document, DEPTH_LIMIT):
        raise _whole_file(path, "is nested too deeply for a plan")
    return document


def _refuse_endless_keys(text: str, path: Path) -> None:
    """The parser's memory grows with the square of the parts of a dotted key: `a.a.a.a...` is a bomb."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _KEY_PARTS_LIMIT and _QUOTED.sub("", line).count(".") > _KEY_PARTS_LIMIT:
            raise _whole_file(path, "is nested too deeply for a plan", line=number)


def _syntax(path: Path, text: str, message: str) -> PlanProblems:
    found = _TOML_PLACE.fullmatch(message)
    if found:
        what = f"column {found['column']}: not TOML: {found['what']}"
        return _whole_file(path, clean_text(what), line=int(found["line"]))
    last = text.count("\n") + (not text.endswith("\n")) if "end of document" in message else 1
    return _whole_file(path, clean_text(f"not TOML: {message}"), line=max(1, last))


def _depth_exceeds(value: object, limit: int) -> bool:
    """Level by level, so that no depth of the document can exhaust our own stack."""
    level = [value]
    for _ in range(limit):
        level = [inner for item in level for inner in _inner(item)]
    return bool(level)


def _inner(item: object) -> list[object]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []


def _open_trouble(trouble: OSError | ValueError) -> str:
    if isinstance(trouble, FileNotFoundError):
        return "there is no such file; expected a plan in TOML"
    if isinstance(trouble, IsADirectoryError):
        return "is a directory; expected a plan in TOML"
    if isinstance(trouble, PermissionError):
        return "may not be read by this user"
    reason = trouble.strerror if isinstance(trouble, OSError) else None
    return f"cannot be read: {clean_text(reason or 'not a usable path')}"


def _whole_file(path: Path, text: str, *, line: int = 1) -> PlanProblems:
    return PlanProblems((Problem(file=_shown(path), line=line, key="", text=text),))


def _shown(path: Path) -> str:
    return clean_text(str(path), limit=400)
