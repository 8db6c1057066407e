"""The drills of one plan on this host: how each went, in a TOML file beside the plan's journal.

The file is the cockpit's own and is written whole, so it holds no comments of anybody. A file that cannot
be read is left as it is and counts as no drill: what nobody can read proves nothing.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cockpit.engine.paths import journal_path, secure_directory

if TYPE_CHECKING:
    from cockpit.core.drill import Debrief

KEPT: Final = 200
_SIZE_LIMIT: Final = 2_000_000


def record_path(plan: Path, environ: Mapping[str, str]) -> Path:
    return journal_path(plan, environ).with_suffix(".drills.toml")


def drills(path: Path) -> Sequence[Mapping[str, Any]]:
    """What is recorded, oldest first; empty where nothing can be read."""
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            return ()
        written = tomllib.loads(path.read_text(encoding="utf-8")).get("drill")
    except (OSError, ValueError):
        return ()
    rows = written if isinstance(written, list) else []
    return tuple(row for row in rows if isinstance(row, dict) and _aware(row.get("at")))


def last_passed(path: Path, now: datetime) -> datetime | None:
    """When a drill was last passed. One from the future proves nothing."""
    passed = [row["at"] for row in drills(path) if row.get("passed") is True and row["at"] <= now]
    return max(passed, default=None)


def record(path: Path, result: Debrief, *, at: datetime, plan_digest: str, seed: int, host: str) -> None:
    """Add one drill. Raises OSError or JournalFailure when it cannot be written; nothing is lost then."""
    import tomli_w  # late: a start looks into the record and writes nothing

    secure_directory(path.parent)
    rows = [*drills(path), _row(result, at=at, plan_digest=plan_digest, seed=seed, host=host)]
    text = tomli_w.dumps({"drill": [dict(row) for row in rows[-KEPT:]]})
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _row(result: Debrief, *, at: datetime, plan_digest: str, seed: int, host: str) -> Mapping[str, object]:
    """TOML knows no null: what never happened is left out."""
    overrun = {} if result.overrun_s is None else {"overrun_s": round(result.overrun_s, 1)}
    return {
        "at": at.astimezone(UTC),
        "scenario": result.scenario.name,
        "passed": result.passed,
        "seed": seed,
        "host": host,
        "plan_digest": plan_digest,
        **overrun,
        "late": [step.id for step in result.late],
        "missed": [step.id for step in result.missed],
        "seconds": {
            measure.name: round(measure.seconds, 1)
            for measure in result.measures
            if measure.seconds is not None
        },
    }


def trend(rows: Sequence[Mapping[str, Any]], scenario: str) -> str:
    """How the same scenario went before, in one line; empty where it never was flown."""
    same = [row for row in rows if row.get("scenario") == scenario]
    if not same:
        return ""
    passed = sum(row.get("passed") is True for row in same)
    last = same[-1]
    seconds = last.get("seconds")
    zero = seconds.get("declare to all flags at zero") if isinstance(seconds, dict) else None
    took = f", flags at zero after {zero:g} s" if isinstance(zero, int | float) else ""
    return f"before: {passed} of {len(same)} passed, last {last['at']:%Y-%m-%d}{took}"


def _aware(at: object) -> bool:
    return isinstance(at, datetime) and at.tzinfo is not None
