"""What an answer other than success means for an announcement: try again, or look at the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble, Throttled
from cockpit.core.model import Failure, Fault

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer

_TRY_AGAIN: Final = frozenset({408, 425})
_CREDENTIAL: Final = frozenset({401, 403})


def refusal(answer: Answer, who: str, *, said: str = "", detail: str = "") -> AdapterError:
    """The error that this answer of `who` means. `said` is clean and safe to show, else empty."""
    status, wait_s = answer.status, answer.retry_after_s()
    word = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    if status == 429:
        failure = Failure(title=f"{who} asks to wait ({word})", detail=detail, retry_after_s=wait_s)
        return Throttled(failure, status=status)
    if status >= 500 or status in _TRY_AGAIN:
        failure = Failure(title=f"{who} failed ({word})", detail=detail, retry_after_s=wait_s)
        return ServiceTrouble(failure, status=status)
    fault = Fault.CREDENTIAL if status in _CREDENTIAL else Fault.PLAN
    failure = Failure(
        title=f"{who} does not take this ({word}): check its settings",
        detail=detail,
        retryable=False,
        fault=fault,
    )
    return RefusedByService(failure, status=status)


def not_taken(answer: Answer, who: str, why: str) -> AdapterError:
    """A success that is none: a proxy, a login page or another service answered. Trying again is no help."""
    failure = Failure(
        title=f"{who} did not confirm the announcement: {why}", retryable=False, fault=Fault.PLAN
    )
    return BrokenAnswer(failure, status=answer.status)
