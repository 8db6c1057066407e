"""`dataclass` for the values of the cockpit: the standard library's, made in a tenth of its time.

The cockpit has some three hundred frozen classes, and whoever starts it waits for all of them. The standard
library compiles six methods for each. Here it finds the fields and makes the slots; a method that needs
compiling is compiled when it is called for the first time (`__init__`: more than a few times), which most
never are before the first picture stands, and the others are functions that all classes share. What comes out
is a dataclass in every respect: `fields`, `replace`, patterns, generics, inheritance, copies, pickles, and
the same errors. Not here: InitVar.

`replace` is the standard library's in a quarter of its time: whoever folds a journal calls it ten times for
each event. Type checkers see the standard library's functions.
"""

from __future__ import annotations

import dataclasses
from _thread import get_ident
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

Source = tuple[str, Mapping[str, object]]
"""The parameters and body of a function, and the names that it knows."""

_Slot = tuple[str, Callable[[object, object], None], "dataclasses.Field[Any]"]
"""A field's name, what puts a value into its slot, and the field."""

_MISSING: Final = object()
_FEW: Final = 16
_USED: Final[set[type]] = set()
"""Classes of which there are a few objects, and no compiled `__init__` yet."""


def _dataclass(*, frozen: bool = False, slots: bool = False, **others: bool) -> Callable[[type], type]:
    """Classes that are not both frozen and slotted, or are ordered, are left to the standard library."""
    if frozen and slots and others.keys() <= {"kw_only"}:
        return lambda plain: _made(plain, **others)
    return dataclasses.dataclass(frozen=frozen, slots=slots, **others)


def _made(plain: type, *, kw_only: bool = False) -> type:
    own = frozenset(vars(plain))
    plain.__doc__ = plain.__doc__ or plain.__name__  # the standard library would compile a signature for it
    finish = dataclasses.dataclass(
        init=False, repr=False, eq=False, slots=True, kw_only=kw_only, frozen=_has_foreign_frozen_base(plain)
    )
    _MAKING.add(get_ident())
    try:
        made: Any = finish(plain)
    finally:
        _MAKING.discard(get_ident())
    made.__dataclass_params__ = _FROZEN
    late = ((name, _compiled_late(made, name)) for name in _SOURCES)
    for name, method in (*late, ("__init__", _init_late(made)), *_SHARED.items()):
        if name not in own:
            setattr(made, name, method)
    if "__init__" in own:
        _COPIES[made] = _made_anew
    return made  # type: ignore[no-any-return]  # the class that came in, with slots


def _has_foreign_frozen_base(plain: type) -> bool:
    """Then the standard library has to hear that the class is frozen, too, and compiles two methods."""
    bases = (getattr(base, "__dataclass_params__", None) for base in plain.__mro__[1:])
    return any(params.frozen for params in bases if params is not None and params is not _FROZEN)


# --- compiled when called -----------------------------------------------------------------------------


def _compiled_late(made: type, name: str) -> Callable[..., object]:
    def first_call(self: object, *args: object, **named: object) -> object:
        compiled = _compiled(made, name, _SOURCES[name](made))
        setattr(made, name, compiled)
        return compiled(self, *args, **named)

    return _named(first_call, made, name)


def _init_late(made: type) -> Callable[..., None]:
    """The first few objects are filled field by field, which costs microseconds; most classes have no more of
    them before the first picture stands. After them, or for arguments that do not fit, it is compiled."""
    slots: list[_Slot] = []
    left = _FEW

    def first_calls(self: object, *args: object, **named: object) -> None:
        nonlocal left
        left -= 1
        if not slots:
            slots[:] = _slots(made)
            _USED.add(made)
        if left < 0 or not _filled(self, slots, args, named):
            _compile_init(made)
            made.__init__(self, *args, **named)  # type: ignore[misc]  # that of this class

    return _named(first_calls, made, "__init__")  # type: ignore[return-value]  # the function that came in


def compile_used() -> None:
    """For a moment in which there is time, before one in which there is none: whatever was made a few times
    so far is made quickly from now on. Some hundred microseconds for each class."""
    for made in tuple(_USED):
        _compile_init(made)


def _compile_init(made: type) -> None:
    _USED.discard(made)
    made.__init__ = _compiled(made, "__init__", _init(made))  # type: ignore[misc]  # the class is ours


def _slots(made: type) -> list[_Slot]:
    return [
        (each.name, getattr(made, each.name).__set__, each)
        for each in dataclasses.fields(made)
        if each.init or each.default_factory is not dataclasses.MISSING
    ]


def _filled(self: Any, slots: Iterable[_Slot], args: tuple[object, ...], named: Mapping[str, object]) -> bool:
    """Whether the object was filled; nothing was touched when it was not."""
    given = dict(named)
    if args:
        places = [name for name, _, field in slots if field.init and not field.kw_only]
        given.update(zip(places, args, strict=False))
        if len(given) != len(args) + len(named) or len(args) > len(places):
            return False
    values = []
    for name, put, field in slots:
        if field.init and name in given:
            values.append((put, given.pop(name)))
        elif field.default_factory is not dataclasses.MISSING:
            values.append((put, field.default_factory()))
        elif field.default is not dataclasses.MISSING:
            values.append((put, field.default))
        else:
            return False
    if given:
        return False
    for put, value in values:
        put(self, value)
    if hasattr(self, "__post_init__"):
        self.__post_init__()
    return True


def _compiled(made: type, name: str, source: Source) -> Callable[..., object]:
    code, known = source
    space = dict(known)
    exec(f"def {name}{code}", space)
    return _named(space[name], made, name)


def _named(function: Any, made: type, name: str) -> Callable[..., object]:
    function.__name__, function.__qualname__ = name, f"{made.__qualname__}.{name}"
    return function  # type: ignore[no-any-return]  # the function that came in


def _init(made: type) -> Source:
    """A slot is set by its own descriptor: the class's guard against changes never hears of it."""
    known: dict[str, object] = {"_missing": _MISSING}
    by_place, by_name, body = ["self"], ["*"], []
    for field in dataclasses.fields(made):
        name, value = field.name, field.name
        if field.init:
            (by_name if field.kw_only else by_place).append(name + _default(field, known))
        if field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}() if {name} is _missing else {name}" if field.init else f"_make_{name}()"
        elif not field.init:
            continue
        known[f"_set_{name}"] = getattr(made, name).__set__
        body.append(f"_set_{name}(self, {value})")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = by_place + (by_name if len(by_name) > 1 else [])
    return f"({', '.join(parameters)}):\n " + "\n ".join(body or ["pass"]), known


def _default(field: dataclasses.Field[Any], known: dict[str, object]) -> str:
    if field.default is not dataclasses.MISSING:
        known[f"_default_{field.name}"] = field.default
        return f"=_default_{field.name}"
    return "=_missing" if field.default_factory is not dataclasses.MISSING else ""


def _eq(made: type) -> Source:
    body = (
        "if other.__class__ is self.__class__:\n"
        f"  return {_compared(made, 'self')} == {_compared(made, 'other')}\n"
        " return NotImplemented"
    )
    return f"(self, other):\n {body}", {}


def _hash(made: type) -> Source:
    return f"(self):\n return hash({_compared(made, 'self')})", {}


def _compared(made: type, whose: str) -> str:
    return _listed(f"{whose}.{field.name}" for field in dataclasses.fields(made) if field.compare)


def _listed(expressions: Iterable[str]) -> str:
    """As a tuple."""
    return f"({''.join(f'{each}, ' for each in expressions)})"


_SOURCES: Final[Mapping[str, Callable[[type], Source]]] = {
    "__eq__": _eq,
    "__hash__": _hash,
}


# --- replace ------------------------------------------------------------------------------------------

_Copy = Callable[[Any, Mapping[str, object]], Any]
_COPIES: Final[dict[type, _Copy]] = {}


def _replace(value: Any, /, **changes: object) -> Any:
    """As `dataclasses.replace`, and with its words where a name is no field."""
    made = type(value)
    try:
        return (_COPIES.get(made) or _copy_of(made))(value, changes)
    except KeyError:
        return dataclasses.replace(value, **changes)


def _copy_of(made: type) -> _Copy:
    """Compiled for this class: slot by slot. What looks at its values when it is made is made anew."""
    if made.__dict__.get("__dataclass_params__") is not _FROZEN or _makes_more_of_its_values(made):
        copy: _Copy = _made_anew
    else:
        names = [field.name for field in dataclasses.fields(made)]
        known: dict[str, object] = {f"_set_{name}": getattr(made, name).__set__ for name in names}
        known.update(_new=object.__new__, _made=made, _set={name: known[f"_set_{name}"] for name in names})
        body = ["new = _new(_made)", *(f"_set_{name}(new, old.{name})" for name in names)]
        body += ["for name, value in changes.items(): _set[name](new, value)", "return new"]
        space = dict(known)
        exec("def copy(old, changes):\n " + "\n ".join(body), space)
        copy = space["copy"]  # type: ignore[assignment]  # the function that was compiled
    _COPIES[made] = copy
    return copy


def _makes_more_of_its_values(made: type) -> bool:
    return hasattr(made, "__post_init__") or not all(field.init for field in dataclasses.fields(made))


def _made_anew(value: Any, changes: Mapping[str, object]) -> Any:
    return dataclasses.replace(value, **changes)


# --- shared by all ------------------------------------------------------------------------------------


def _repr(self: Any) -> str:
    told = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(told)})"


def _setattr(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED: Final[Mapping[str, Callable[..., object]]] = {
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}


@dataclasses.dataclass(frozen=True)
class _Frozen:
    """Lends its parameters."""


_LENT: Final[Any] = _Frozen.__dataclass_params__  # type: ignore[attr-defined]  # unknown to the stubs
_MAKING: Final[set[int]] = set()
"""The threads that make a class here at this moment."""


class _Params(type(_LENT)):  # type: ignore[misc]  # a class that the stubs do not know
    """Frozen; but the standard library does not hear that while a class is made here from such a base: it
    would want that one to be frozen by its own means."""

    @property
    def frozen(self) -> bool:
        return get_ident() not in _MAKING


def _frozen_params() -> _Params:
    params = _Params.__new__(_Params)
    for name in type(_LENT).__slots__:
        if name != "frozen":
            setattr(params, name, getattr(_LENT, name))
    return params


_FROZEN: Final = _frozen_params()


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:
    dataclass = _dataclass
    replace = _replace
