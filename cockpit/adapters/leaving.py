"""Whether a write may still leave: asked in the moment before it does, and answered by whoever ordered it.

A process that was stopped, or a host that slept, goes on in the middle of a write as if no time had passed,
with a decision and a look under it from before. Time limits tell of it too late: what the service answered
before is handled first. So every adapter asks right before it sends, again for each request of a write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from cockpit.adapters.base import Unreachable
from cockpit.core.model import Failure, Fault

WhyNot = Callable[[], str]
"""Why it may not leave any more; empty while it may. Asked from any thread, and quick."""

_WHY_NOT: Final[ContextVar[WhyNot]] = ContextVar("why not", default=lambda: "")


@contextmanager
def only_while_wanted(why_not: WhyNot) -> Iterator[None]:
    """Around a write, also for what runs beside it and was started inside."""
    token = _WHY_NOT.set(why_not)
    try:
        yield
    finally:
        _WHY_NOT.reset(token)


def must_be_wanted() -> None:
    """To be called right before a request that changes a flag. Raises Unreachable, `sent` False."""
    _ask(_WHY_NOT.get())


def asked_elsewhere() -> Callable[[], None]:
    """`must_be_wanted` of the write that is on its way here, for a thread that carries out a part of it."""
    why_not = _WHY_NOT.get()
    return lambda: _ask(why_not)


def _ask(why_not: WhyNot) -> None:
    why = why_not()
    if why:
        raise Unreachable(Failure(title=f"held back: {why}", fault=Fault.COCKPIT), sent=False)
