"""What every benchmark tells: one row per goal, in a file of JSON that `python -m tests.bench` gathers.

    {"rows": [{"goal": "P7", "what": "an append", "wanted": "<= 2.5x", "figure": "2.3x", "met": true}], ...}

Whatever else a benchmark measured stands beside "rows".
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside its goal.

    beside: what was measured next to it in the same run. met: None where there is nothing to compare, or
    nothing was measured.
    """

    goal: str
    what: str
    wanted: str
    figure: str
    beside: str = ""
    met: bool | None = None


def tell(path: Path | None, rows: Sequence[Row], **more: object) -> None:
    """Write the rows, and what else is worth keeping, where a file was asked for."""
    if path is not None:
        told = {"rows": [asdict(row) for row in rows], **more}
        path.write_text(json.dumps(told, indent=2) + "\n")


def read(path: Path) -> list[Row]:
    """Raises OSError, ValueError, KeyError or TypeError for what is not such a file."""
    return [Row(**row) for row in json.loads(path.read_text())["rows"]]


def all_met(rows: Sequence[Row]) -> int:
    """The exit code: 0 when nothing was missed, else 1."""
    return int(any(row.met is False for row in rows))


def percentiles(figures: Sequence[float]) -> tuple[float, float, float]:
    """p50, p90 and p99 in the unit of the figures, between neighbours where there are few."""
    if len(figures) == 1:
        return (figures[0],) * 3
    cuts = statistics.quantiles(figures, n=100, method="inclusive")
    return round(statistics.median(figures), 2), round(cuts[89], 2), round(cuts[98], 2)
