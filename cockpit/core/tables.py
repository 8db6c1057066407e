"""How a class says what may stand in the table of a plan that it describes.

A table is a frozen dataclass under `Written`: its fields are the keys, their annotations the types, and
marks in `Annotated` say the rest, in the order in which they are asked. The plan reads a table by these
annotations (`cockpit.plan.reading`) and makes the object only when nothing in it is wrong; what keys say
about each other is said by `__post_init__`, which raises ValueError with words for the author of the plan.
An object that is made without a plan is not judged by its marks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field
from typing import Annotated, Any, ClassVar

from cockpit.core.dataclass import dataclass


class Written:
    """Base of everything that a plan writes as a table. It is no dataclass itself: the standard library would
    compile two methods for every class under one that is frozen, and a start waits for them.

    either: keys of which exactly one must be there; said to editors, `__post_init__` or the plan checks it.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    either: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Before:
    """The value is what `function` makes of the text, number or table that stands in the plan.

    It raises ValueError with words for the author. The type that is annotated is what it returns.
    """

    function: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class After:
    """`function` takes a value of the annotated type and returns it, perhaps in a better form.

    It raises ValueError with words for the author.
    """

    function: Callable[[Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Limits of a number; of a length of time in seconds."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """How many characters of a text, or entries of a list or table."""

    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A regular expression that a text must match."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Json:
    """Whatever JSON can say, at any depth."""


JsonValue = Annotated[Any, Json()]
