"""How a write ends: every flag writer stops with one of three outcomes and says it in clean words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.core.model import Failure, Fault, WriteOutcome, WriteResult


class Stop(Exception):
    """A write that ends here without a yes."""

    def __init__(self, outcome: WriteOutcome, detail: str, failure: Failure) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.failure = failure


def refused(detail: str, fault: Fault = Fault.SERVICE) -> Stop:
    """Nothing was changed, and asking again will not help."""
    return Stop(WriteOutcome.REFUSED, detail, Failure(title=detail, retryable=False, fault=fault))


def unknown(detail: str) -> Stop:
    return Stop(WriteOutcome.UNKNOWN, detail, Failure(title=detail))


def not_written(error: AdapterError) -> Stop:
    """Trouble before the first write."""
    return Stop(WriteOutcome.REFUSED, f"nothing was written: {words(error)}", error.failure)


def not_read_back(error: AdapterError) -> Stop:
    """Trouble after a write that was accepted or may have been."""
    return Stop(WriteOutcome.UNKNOWN, f"it could not be read back: {words(error)}", error.failure)


def unanswered(error: AdapterError) -> Stop:
    """A write without an answer: refused when nothing left or the service said no, else unknown."""
    never_happened = not error.sent or isinstance(error, RefusedByService)
    outcome = WriteOutcome.REFUSED if never_happened else WriteOutcome.UNKNOWN
    return Stop(outcome, words(error), error.failure)


async def reported(write: Awaitable[str]) -> WriteResult:
    """The result of a write that returns its detail when done and raises `Stop` when not."""
    started = asyncio.get_running_loop().time()
    result = await _ended(write)
    return replace(result, took_s=asyncio.get_running_loop().time() - started)


async def _ended(write: Awaitable[str]) -> WriteResult:
    try:
        return WriteResult(outcome=WriteOutcome.DONE, detail=await write)
    except AdapterError as error:
        stop = unanswered(error)
    except Stop as early:
        stop = early
    return WriteResult(outcome=stop.outcome, detail=stop.detail, failure=stop.failure)


def words(error: AdapterError) -> str:
    """The title, and what the service itself said where a failure's detail (`GET address: words`) has it."""
    said = error.failure.detail.partition(": ")[2]
    return f"{error.failure.title}: {said}" if said else error.failure.title
