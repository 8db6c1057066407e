"""What a Convex deployment's HTTP answers mean.

Functions answer HTTP 200 (560 on older servers) with an envelope, also when they threw. The text of
`errorMessage` is redacted in production and free-form elsewhere: nothing but the request id is taken
from it. `errorData` is whatever the function threw; only a short code in it is shown. Failures of the
request itself are `{code, message}` with a status.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,59}\Z")
_REQUEST_ID: Final = re.compile(r"\[Request ID: ([0-9A-Za-z-]{4,64})\]")
_CANNOT_ASK: Final = frozenset({401, 403, 407, 429})
_SERVER_TIMEOUT: Final = 408
_ENVELOPES: Final = frozenset({200, 560})
_OVERLOADED: Final = frozenset(
    {
        "ExpiredInQueue",
        "WorkerOverloaded",
        "ExecuteFullError",
        "InitialPermitTimeoutError",
        "CommitterFullError",
    }
)
_STOPPED: Final = frozenset({"paused", "disabled", "suspended"})
_STOPPERS: Final = {"user": "by its operators", "usage_limit": "by a usage limit", "system": "by Convex"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One function call that was answered. `trouble` says what is wrong; `value` counts only without it.

    threw: it is the function itself that failed, so that a mutation changed nothing. code: what it threw, if
    that is short and plain.
    """

    trouble: str = ""
    threw: bool = False
    code: str = ""
    value: object = None
    request_id: str = ""
    took_s: float = 0.0
    server_time: datetime | None = None


def read_word(answer: Answer, what: str) -> str:
    """The single word of a plain-text answer (version, deployment name). Raises BrokenAnswer."""
    text = answer.body[:200].decode("utf-8", "replace").strip()
    if answer.status == 200 and _WORD.match(text):
        return text
    failure = Failure(title=f"this does not tell {what} as a Convex deployment would", detail=answer.asked)
    raise BrokenAnswer(failure, status=answer.status)


def read_call(answer: Answer, function: str) -> Called:
    """What came of calling `function`. Raises AdapterError where the deployment could not be asked."""
    if answer.status not in _ENVELOPES:
        return _called(answer, trouble=outage(answer))
    return read_envelope(answer, answer.json(), function)


def read_envelope(answer: Answer, body: object, function: str) -> Called:
    """What one envelope within an answer says. Raises BrokenAnswer for something else."""
    if isinstance(body, dict) and body.get("status") == "success" and "value" in body:
        return _called(answer, value=body["value"])
    if isinstance(body, dict) and body.get("status") == "error":
        code = _thrown_code(body.get("errorData"))
        request_id = _REQUEST_ID.search(str(body.get("errorMessage"))[:500])
        return _called(
            answer,
            trouble=f"{function} failed with {code}" if code else f"{function} failed",
            threw=True,
            code=code,
            request_id=request_id[1] if request_id else "",
        )
    failure = Failure(title="not the answer of a Convex function", detail=answer.asked)
    raise BrokenAnswer(failure, status=answer.status)


def _called(
    answer: Answer,
    *,
    trouble: str = "",
    threw: bool = False,
    code: str = "",
    value: object = None,
    request_id: str = "",
) -> Called:
    return Called(
        trouble=trouble,
        threw=threw,
        code=code,
        value=value,
        request_id=request_id,
        took_s=answer.took_s,
        server_time=answer.server_time,
    )


def outage(answer: Answer) -> str:
    """Words for an answer that says "I do not work". Raises AdapterError where it says something else.

    Warming up (425, table counts and indexes being loaded) is not broken; overload and any other 5xx is.
    """
    code = request_code(answer)
    named = f" ({code})" if code else ""
    if answer.status == 425 or code == "TableSummariesUnavailable" or code.endswith("IndexTooLarge"):
        failure = Failure(title=f"the deployment is warming up{named}", detail=answer.asked)
        raise ServiceTrouble(failure, status=answer.status)
    if answer.status in _CANNOT_ASK:
        raise answer.as_error()
    if code == "BackendIsNotRunning":
        return f"the deployment is stopped{named}"
    if answer.status >= 500 or answer.status == _SERVER_TIMEOUT:
        return (
            f"overloaded, it turns calls away{named}"
            if code in _OVERLOADED
            else f"answers {answer.status}{named}"
        )
    failure = Failure(
        title=f"this is not how a Convex deployment answers (HTTP {answer.status}){named}",
        detail=answer.asked,
        retryable=False,
        fault=Fault.PLAN,
    )
    raise RefusedByService(failure, status=answer.status)


def stopped_by(state: object) -> str | None:
    """Why functions do not run, "" when they do, None when the state cannot be read from this value."""
    if not isinstance(state, dict) or not all(isinstance(state.get(name), str) for name in _STOPPERS):
        return None
    for name, by in _STOPPERS.items():
        if state[name] in _STOPPED:
            return f"{state[name]} {by}"
    return "" if all(state[name] == "none" for name in _STOPPERS) else None


def rights_of(answer: Answer) -> str:
    """What a key may do, in words, from `/api/check_admin_key`. No right named means all of them."""
    try:
        body = answer.json()
    except BrokenAnswer:
        body = None
    listed = body.get("allowedOps") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(listed, list) or not all(isinstance(x, str) for x in listed):
        return "not told"
    return clean_text(", ".join(listed), limit=200) or "do everything"


def request_code(answer: Answer) -> str:
    """The `code` of a failure of the request itself, "" when it names none."""
    try:
        body = answer.json()
    except BrokenAnswer:
        return ""
    return _code(body.get("code")) if isinstance(body, dict) else ""


def _thrown_code(data: object) -> str:
    return _code(data.get("code") if isinstance(data, dict) else data)


def _code(raw: object) -> str:
    return clean_text(raw, limit=60) if isinstance(raw, str) and _CODE.match(raw) else ""
