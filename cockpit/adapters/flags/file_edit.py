"""The smallest change of a text: a value's own characters and nothing else, proven by reading it again.

A syntax finds where a value stands. Whatever it finds, the edited text is parsed once more, and must say
what the old one said, but for the values that were meant; otherwise nothing is written. So comments,
order and spacing stay, and a mistake in finding a place can only refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any, Final, Protocol

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.flags.outcome import Stop, refused
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault

Path = tuple[str | int, ...]
Changes = Mapping[Path, object]
_DEEPEST: Final = 100


@dataclass(frozen=True, slots=True)
class Patch:
    """`text` instead of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


class Syntax(Protocol):
    def parse(self, text: str) -> object:
        """Raises ValueError, also for a key that stands twice in one place."""

    def patch(self, text: str, path: Path, value: object) -> Patch | None:
        """How to make `value` stand at `path`; None where that cannot be done safely."""


def parsed(syntax: Syntax, text: str, name: str) -> object:
    """Raises BrokenAnswer."""
    try:
        return syntax.parse(text)
    except RecursionError:
        why = "nested too deeply"
    except ValueError as error:
        why = clean_text(str(error).splitlines()[0] if str(error) else "not understood", limit=120)
    raise BrokenAnswer(Failure(title=f"{name}: {why}", fault=Fault.PLAN), sent=False)


def edited(syntax: Syntax, text: str, changes: Changes) -> str:
    """The text with these values changed. Raises Stop (refused) when that cannot be done safely."""
    before = syntax.parse(text)
    patches = [syntax.patch(text, path, value) for path, value in changes.items()]
    sure = sorted((patch for patch in patches if patch is not None), key=lambda patch: patch.start)
    overlap = any(first.end > second.start for first, second in pairwise(sure))
    if len(sure) != len(patches) or overlap:
        raise _unsafe()
    after = text
    for patch in reversed(sure):
        after = after[: patch.start] + patch.text + after[patch.end :]
    try:
        said = syntax.parse(after)
    except (ValueError, RecursionError):
        raise _unsafe() from None
    if not same(said, _with(before, changes)):
        raise _unsafe()
    return after


def same(one: Any, other: Any, depth: int = 0) -> bool:
    """Equality with types: 1 is neither true nor 1.0 where text is compared with what was written."""
    if depth > _DEEPEST or type(one) is not type(other):
        return depth <= _DEEPEST and _same_number(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key], depth + 1) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(
            same(first, second, depth + 1) for first, second in zip(one, other, strict=True)
        )
    return bool(one == other)


def _same_number(one: Any, other: Any) -> bool:
    """25 may have been written for 25.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    return isinstance(one, int | float) and isinstance(other, int | float) and one == other


def _with(document: object, changes: Changes) -> object:
    changed: Any = deepcopy(document)
    for path, value in changes.items():
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        if isinstance(holder, dict) and path[-1] not in holder:
            # A new key stands where the syntax puts it: first.
            rest = dict(holder)
            holder.clear()
            holder[path[-1]] = value
            holder.update(rest)
        else:
            holder[path[-1]] = value
    return changed


def number(value: float) -> str:
    """A number as every one of these syntaxes writes it."""
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0")


def _unsafe() -> Stop:
    words = "this value cannot be changed without touching anything else: edit the file by hand"
    return refused(words, Fault.PLAN)
