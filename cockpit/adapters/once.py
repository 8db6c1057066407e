"""Requests that are no part of every poll: asked once in a flight, or by `cockpit check` alone.

Who counts how often a plan asks a service leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_ONCE: Final = ContextVar("asked once", default=False)


@contextmanager
def asked_once() -> Iterator[None]:
    """Around such a request, also for what runs beside it and was started inside."""
    token = _ONCE.set(True)
    try:
        yield
    finally:
        _ONCE.reset(token)


def is_asked_once() -> bool:
    return _ONCE.get()
