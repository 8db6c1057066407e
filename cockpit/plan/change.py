"""What changed between two plans, in short lines for the person who must accept the change.

Named things are matched by name, stages by their place. Of a secret only its reference is shown, of
a query or a command only that it changed, of an address nothing that could hold a credential.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

from cockpit.core.clean import Percent, clean_text
from cockpit.core.secret import SecretRef
from cockpit.core.spec import HardLimit, Plan, Stage
from cockpit.core.tables import Written
from cockpit.plan.shape import expected, fields_of
from cockpit.plan.values import DURATION, duration_text

_OWN_NAMES: Final = ("key", "name", "id")
_SUBJECTS: Final[Mapping[str, str]] = {
    "flag_services": "flag service",
    "monitors": "monitor",
    "flags": "flag",
    "signals": "signal",
    "announce": "announcement",
    "stores": "store",
    "parity": "parity check",
    "checklist": "checklist item",
    "rollback": "rollback",
    "judge": "judge",
}
_LISTS: Final[Mapping[str, str]] = {
    "probes": "probe",
    "steps": "step",
    "write_counters": "write counter",
    "ready": "way back figure",
    "drain": "drain gauge",
}
_UNSHOWN: Final = frozenset(
    {"bad", "total", "query", "legacy", "new", "command", "fields", "read", "write", "phases"}
)
_LINE_LIMIT: Final = 160


def describe_change(old: Plan, new: Plan) -> tuple[str, ...]:
    """One line per difference, in the order of the plan; empty when both say the same."""
    lines: list[str] = []
    for name in ("title", "environment", "approvals", "phases"):
        lines += (f"plan: {words}" for words in _leaf(name, getattr(old, name), getattr(new, name)))
    for before, after in zip(old.backends, new.backends, strict=False):
        lines += (f"backend {after.side}: {words}" for words in _object(before, after))
    for name, subject in _SUBJECTS.items():
        lines += _section(subject, getattr(old, name), getattr(new, name))
    return tuple(clean_text(line, limit=_LINE_LIMIT) for line in lines)


def _section(subject: str, old: Any, new: Any) -> Iterator[str]:
    if not isinstance(new, tuple):
        yield from (f"{subject}: {words}" for words in _object(old, new))
        return
    before, after = _by_name(old), _by_name(new)
    yield from (f"{subject} {name}: removed" for name in before if name not in after)
    for name, item in after.items():
        if name not in before:
            yield f"{subject} {name}: added"
        else:
            yield from (f"{subject} {name}: {words}" for words in _object(before[name], item))
    yield from (f"{subject}s: {words}" for words in _moved(before, after))


def _object(old: Any, new: Any) -> Iterator[str]:
    """The differences of two values of the same type, field by field."""
    for name, written in _field_names(new).items():
        before, after = getattr(old, name, None), getattr(new, name)
        if before != after:
            yield from _field(written, before, after)


def _field(name: str, old: Any, new: Any) -> Iterator[str]:
    if name == "settings":
        yield from (_object(old, new) if type(old) is type(new) else ["settings of another kind"])
    elif name in _LISTS:
        yield from _section(_LISTS[name], old, new)
    elif name == "stages":
        yield from _stages(old, new)
    elif old is None or new is None:
        yield from _came_or_went(name, old, new)
    elif _field_names(new) and not isinstance(new, Percent | SecretRef):
        yield from (f"{_word(name)} {words}" for words in _object(old, new))
    else:
        yield from _leaf(name, old, new)


def _stages(old: tuple[Stage, ...], new: tuple[Stage, ...]) -> Iterator[str]:
    for place, (before, after) in enumerate(zip(old, new, strict=False), start=1):
        yield from (f"stage {place} {words}" for words in _object(before, after))
    for place, stage in enumerate(old[len(new) :], start=len(new) + 1):
        yield f"stage {place} removed ({stage.percent})"
    for place, stage in enumerate(new[len(old) :], start=len(old) + 1):
        yield f"stage {place} added ({stage.percent})"


def _came_or_went(name: str, old: Any, new: Any) -> Iterator[str]:
    word, value = ("added", new) if old is None else ("removed", old)
    yield f"{_word(name)} {word} {_shown(name, value)}".rstrip()


def _leaf(name: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    before, after = _shown(name, old), _shown(name, new)
    if before == after:
        yield f"{_word(name)} changed"
    else:
        yield f"{_word(name)} {before} -> {after}"


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        yield f"order is now {', '.join(after)}"


def _shown(name: str, value: Any) -> str:
    """A value in a few words; nothing for what is long or may hold a credential."""
    if value is None or name in _UNSHOWN:
        return "" if value is not None else "none"
    if isinstance(value, HardLimit):
        return f"{value.max_pct:g}%"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _shown_number(name, value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return ", ".join(_shown(name, item) for item in value) or "none"
    if isinstance(value, str) and not isinstance(value, Enum):
        return _shown_text(value)
    return str(value) if isinstance(value, Percent | SecretRef | Enum) else ""


def _shown_number(name: str, value: float) -> str:
    if name.endswith("_s"):
        return duration_text(value)
    return f"{value:g}%" if name.endswith("_pct") else f"{value:g}"


def _shown_text(text: str) -> str:
    if "://" not in text:
        return f'"{clean_text(text, limit=40)}"' if text else "empty"
    try:
        parts = urlsplit(text)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        return ""


def _word(name: str) -> str:
    """`drain_below_pct` is `drain below`: the value already carries its unit."""
    for unit in ("_pct", "_s", "_at"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def _field_names(value: Any) -> dict[str, str]:
    """Attribute names, each with the key that stands in the plan and the unit of the value."""
    if isinstance(value, Written):
        written = fields_of(type(value)).items()
        return {key: f"{key}_s" if expected(kind) == DURATION.words else key for key, kind in written}
    if is_dataclass(value):
        return {field.name: field.name for field in fields(value)}
    return {}


def _by_name(items: tuple[Any, ...]) -> dict[str, Any]:
    return {_name(item): item for item in items}


def _name(item: Any) -> str:
    """`id` of a step comes before its `key`, which several steps may share."""
    if hasattr(item, "id"):
        return str(item.id)
    return next(str(getattr(item, name)) for name in _OWN_NAMES if hasattr(item, name))
