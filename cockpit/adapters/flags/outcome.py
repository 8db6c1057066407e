"""How a write ends: every flag writer stops with one of three outcomes and says it in clean words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from cockpit.adapters.base import AdapterError, RefusedByService, Throttled
from cockpit.core.model import Failure, Fault, WriteOutcome, WriteResult

UNTOLD_WAIT_S: Final = 2.0
"""For a service that asks to wait and does not say how long."""


class Stop(Exception):
    """A write that ends here without a yes."""

    def __init__(
        self,
        outcome: WriteOutcome,
        detail: str,
        failure: Failure,
        *,
        unsent: bool = False,
        again_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.failure = failure
        self.unsent = unsent
        self.again_after_s = again_after_s


def refused(detail: str, fault: Fault = Fault.SERVICE) -> Stop:
    """Nothing was changed, and asking again will not help."""
    return Stop(WriteOutcome.REFUSED, detail, Failure(title=detail, retryable=False, fault=fault))


def unknown(detail: str) -> Stop:
    return Stop(WriteOutcome.UNKNOWN, detail, Failure(title=detail))


def not_written(error: AdapterError) -> Stop:
    """Trouble before the first write: that never left, unless the service said no to the question."""
    detail, wait_s = f"nothing was written: {words(error)}", asked_to_wait_s(error)
    unsent = wait_s is None and not (error.sent and isinstance(error, RefusedByService))
    return Stop(WriteOutcome.REFUSED, detail, error.failure, unsent=unsent, again_after_s=wait_s)


def not_read_back(error: AdapterError) -> Stop:
    """Trouble after a write that was accepted or may have been."""
    return Stop(WriteOutcome.UNKNOWN, f"it could not be read back: {words(error)}", error.failure)


def unanswered(error: AdapterError) -> Stop:
    """A write without an answer: refused when nothing left or the service said no, else unknown."""
    never_happened = not error.sent or isinstance(error, RefusedByService)
    outcome = WriteOutcome.REFUSED if never_happened else WriteOutcome.UNKNOWN
    wait_s = asked_to_wait_s(error)
    return Stop(outcome, words(error), error.failure, unsent=not error.sent, again_after_s=wait_s)


def answered(error: AdapterError) -> Stop:
    """An answer to a write that is no yes: below 500 nothing was done (408 aside), above nobody knows."""
    status = error.status or 500
    outcome = WriteOutcome.REFUSED if status < 500 and status != 408 else WriteOutcome.UNKNOWN
    return Stop(outcome, words(error), error.failure, again_after_s=asked_to_wait_s(error))


def is_no(stop: Stop) -> bool:
    """Whether the service said no. What is unknown, never left or was asked to wait is less than that."""
    return stop.outcome is WriteOutcome.REFUSED and not stop.unsent and stop.again_after_s is None


async def by_another_way(closed: Stop, way: Awaitable[str]) -> str:
    """What another kind of write gives, where the first kind is closed to us.

    Two noes are told as the first one. Anything less than a no is told as it is: the first one's no would
    end the tries, and hide a write that may have happened. Raises Stop.
    """
    try:
        await way
    except AdapterError as error:
        stop = unanswered(error)
    except Stop as early:
        stop = early
    else:
        return f"put to 0% instead of switched off: {closed.detail}"
    if is_no(stop):
        raise closed from None
    detail = f"{closed.detail}; 0% instead: {stop.detail}"
    raise Stop(
        stop.outcome, detail, stop.failure, unsent=stop.unsent, again_after_s=stop.again_after_s
    ) from None


def asked_to_wait_s(error: AdapterError) -> float | None:
    """How long a service asks to be left alone (429, or 503 with Retry-After); None when it does not."""
    if not isinstance(error, Throttled):
        return None
    wait_s = error.failure.retry_after_s
    return UNTOLD_WAIT_S if wait_s is None else wait_s


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
    return WriteResult(
        outcome=stop.outcome,
        detail=stop.detail,
        failure=stop.failure,
        unsent=stop.unsent,
        again_after_s=stop.again_after_s,
    )


def words(error: AdapterError) -> str:
    """The title, and what the service itself said where a failure's detail (`GET address: words`) has it."""
    said = error.failure.detail.partition(": ")[2]
    return f"{error.failure.title}: {said}" if said else error.failure.title
