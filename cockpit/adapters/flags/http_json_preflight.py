"""What can be found out about a home-grown endpoint and a write token before flight, without writing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.flags.http_json_settings import Guard, ReadRights
from cockpit.adapters.flags.lines import trouble_line
from cockpit.adapters.pointer import find

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost

_QUESTION: Final = "the write token may write"
_BETWEEN: Final = re.compile(r"[\s,]+")


async def rights_line(host: HttpHost, rights: ReadRights | None) -> Preflight:
    """What the service itself tells of the token. A service that tells nothing leaves it open."""
    subject = f"flags at {host.address}"
    if rights is None:
        detail = "it may read; where the service tells whether it may write, the plan does not say (rights)"
        return Preflight(subject=subject, question=_QUESTION, ok=None, detail=detail)
    try:
        answer = await host.get(rights.path)
        answer.raise_for_status()
        ok, detail = may_write(answer.json(), rights)
    except AdapterError as error:
        return trouble_line(subject, _QUESTION, error)
    return Preflight(subject=subject, question=_QUESTION, ok=ok, detail=detail)


def may_write(body: object, rights: ReadRights) -> tuple[bool | None, str]:
    """True, false, a list of rights, or a text of them as OAuth writes its scopes; nothing else is one."""
    try:
        found = find(body, rights.at)
    except LookupError:
        return None, f"the answer has nothing at {rights.at}"
    if rights.needs is None:
        yes_or_no = isinstance(found, bool)
        return (bool(found), "it may" if found else "it may not") if yes_or_no else (None, _no_right(rights))
    if isinstance(found, str):
        held: Sequence[object] = _BETWEEN.split(found)
    elif isinstance(found, list):
        held = found
    else:
        return None, _no_right(rights)
    has = rights.needs in held
    return has, f"it {'has' if has else 'lacks'} the right {rights.needs}"


def guard_line(host: HttpHost, guard: Guard, etag: str | None) -> Preflight:
    """What becomes of a write over something that somebody else wrote in the meantime."""
    subject, question = f"flags at {host.address}", "a stale write is refused"
    if guard is Guard.NONE:
        detail = "unguarded: read right before and after a write; what changes in between is overwritten"
        return Preflight(subject=subject, question=question, ok=None, detail=detail)
    if guard is Guard.VERSION:
        return Preflight(subject=subject, question=question, ok=True, detail="by a version in the body")
    detail = "by its ETag" if etag else "the answer has no strong ETag"
    return Preflight(subject=subject, question=question, ok=etag is not None, detail=detail)


def _no_right(rights: ReadRights) -> str:
    wanted = "true or false" if rights.needs is None else "a list or a text of rights"
    return f"what stands at {rights.at} is not {wanted}"
