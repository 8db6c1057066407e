"""Names as parts of an address. Light on purpose: it needs no network library."""

from __future__ import annotations

from urllib.parse import quote

from cockpit.adapters.base import RefusedByService
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault


def plan_fault(title: str, detail: str = "") -> RefusedByService:
    """Nothing was sent because what the plan or the environment says cannot be used."""
    failure = Failure(title=title, detail=detail, retryable=False, fault=Fault.PLAN)
    return RefusedByService(failure, sent=False)


def segment(name: str) -> str:
    """`name` as one path segment. Raises RefusedByService (fault PLAN) for a name that cannot be one."""
    if name in ("", ".", "..") or not name.isprintable():
        raise plan_fault(f"cannot be part of an address: {clean_text(name, limit=80)!r}")
    return quote(name, safe="")
