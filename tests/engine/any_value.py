"""Any values of a type, as the dataclasses of the core spell it: generic ones included, infinities too."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from hypothesis import strategies as st

from cockpit.core.clean import Percent

_PLAIN: Final[Mapping[object, st.SearchStrategy[Any]]] = {
    bool: st.booleans(),
    int: st.integers(-(10**12), 10**12),
    float: st.floats(allow_nan=False),
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    datetime: st.datetimes(timezones=st.just(UTC)),
    Percent: st.builds(Percent, st.integers(0, 10_000)),
    type(None): st.none(),
}


def any_of(hint: Any, known: Mapping[Any, Any] = MappingProxyType({})) -> st.SearchStrategy[Any]:
    """known: what the parameters of a generic class stand for."""
    hint = known.get(hint, hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin in (typing.Union, types.UnionType):
        return st.one_of([any_of(argument, known) for argument in arguments])
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(any_of(arguments[0], known), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*[any_of(argument, known) for argument in arguments])
    if origin is Mapping:
        return st.dictionaries(*[any_of(argument, known) for argument in arguments], max_size=2)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    made = origin or hint
    assert is_dataclass(made), hint
    inner = dict(zip(getattr(made, "__parameters__", ()), arguments, strict=True))
    hints = typing.get_type_hints(made)
    return st.builds(typing.cast(Any, made), **{f.name: any_of(hints[f.name], inner) for f in fields(made)})
