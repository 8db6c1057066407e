"""What can be found out about a flag table in Convex and a key before flight, without writing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight, RefusedByService
from cockpit.adapters.convex import Deployment
from cockpit.adapters.flags.outcome import words
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure

_NEEDED: Final = {False: ("RunInternalQueries",), True: ("RunInternalQueries", "RunInternalMutations")}
_SHOWN: Final = 12


async def name_line(host: Deployment) -> Preflight:
    question = f"it is the deployment {host.instance}"
    try:
        await host.verify()
    except AdapterError as error:
        return _line(host, question, False if isinstance(error, RefusedByService) else None, words(error))
    return _line(host, question, True, "it is")


async def rights_line(host: Deployment, *, writes: bool) -> Preflight:
    """What the key may do. An answer that lists nothing means everything (self-hosted keys are like that)."""
    question = "the write token may run its mutations" if writes else "the token may run its query"
    return await _rights(host, question, _NEEDED[writes], writes=writes)


async def look_line(host: Deployment, needed: Sequence[str]) -> Preflight:
    """Whether a key that only looks may do what it is for."""
    return await _rights(host, "the key may look", needed, writes=False)


async def _rights(host: Deployment, question: str, needed: Sequence[str], *, writes: bool) -> Preflight:
    try:
        allowed, read_only = await key_rights(host)
    except AdapterError as error:
        return _line(host, question, False if error.status in (401, 403) else None, words(error))
    missing = [right for right in needed if allowed and right not in allowed]
    if missing:
        return _line(host, question, False, f"it lacks {', '.join(missing)}")
    if writes and read_only:
        return _line(host, question, False, "it is read-only")
    return _line(host, question, True, f"it may {', '.join(allowed[:_SHOWN]) or 'do everything'}")


async def key_rights(host: Deployment) -> tuple[tuple[str, ...], bool]:
    """The operations that the key allows (none named: all of them), and whether it is read-only.

    The dashboard asks the same; it is no promised API. Raises AdapterError.
    """
    answer = await host.get("/api/check_admin_key")
    answer.raise_for_status()
    body = answer.json()
    if not isinstance(body, dict) or body.get("success") is not True:
        raise BrokenAnswer(Failure(title="this deployment does not tell what a key may do"))
    listed = body.get("allowedOps")
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise BrokenAnswer(Failure(title="this deployment does not tell what a key may do"))
    return tuple(clean_text(each, limit=60) for each in listed), body.get("isReadOnly") is True


def _line(host: Deployment, question: str, ok: bool | None, detail: str) -> Preflight:
    return Preflight(subject=f"Convex at {host.address}", question=question, ok=ok, detail=detail)
