"""JSON Pointer (RFC 6901): one place inside a JSON value, and whether it holds what is expected there."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"(?:[^~/]|~0|~1)*\Z")
_INDEX: Final = re.compile(r"(?:0|[1-9][0-9]{0,8})\Z")

Scalar = str | int | float | bool | None


def split_pointer(pointer: str) -> tuple[str, ...]:
    """The reference tokens of a pointer, unescaped. Raises ValueError."""
    if pointer == "":
        return ()
    if not pointer.startswith("/"):
        raise ValueError('a JSON pointer is "" or starts with "/", such as "/status"')
    tokens = pointer[1:].split("/")
    if not all(_TOKEN.match(token) for token in tokens):
        raise ValueError('in a JSON pointer "~" is written "~0" and "/" is written "~1"')
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def find(document: object, pointer: str) -> object:
    """The value at `pointer`. Raises LookupError when there is none."""
    value = document
    for token in split_pointer(pointer):
        if isinstance(value, dict):
            value = value[token]
        elif isinstance(value, list) and _INDEX.match(token):
            value = value[int(token)]
        else:
            raise LookupError(token)
    return value


def same_scalar(found: object, expected: Scalar) -> bool:
    """Equality without conversion: true is not 1, "1" is not 1, 1.0 is 1."""
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(expected, int | float):
        return isinstance(found, int | float) and found == expected
    return type(found) is type(expected) and found == expected
