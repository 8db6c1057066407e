"""What PostHog tells of a personal API key, without writing: a key may read itself, and its scopes.

From PostHog's own source (posthog/api/personal_api_key.py): `GET /api/personal_api_keys/@current/`, where
"*" is every scope. A build that is older than that address answers 403 or 404, and nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.flags.outcome import words
from cockpit.core.clean import clean_text

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost

_CURRENT: Final = "/api/personal_api_keys/@current/"
_WRITES: Final = "feature_flag:write"
_NAMED: Final = 6


async def rights_line(host: HttpHost) -> Preflight:
    """Whether the key's scopes let it write flags. A key that reads them already was let into the project."""
    try:
        answer = await host.get(_CURRENT)
        answer.raise_for_status()
        ok, detail = may_write(answer.json())
    except AdapterError as error:
        # Only 401 is about the key; builds that do not tell answer 403 or 404.
        ok, detail = (False if error.status == 401 else None), f"it does not tell: {words(error)}"
    return line(host, ok, detail)


def may_write(body: object) -> tuple[bool | None, str]:
    """From the key itself."""
    scopes = body.get("scopes") if isinstance(body, dict) else None
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        return None, "this PostHog does not tell the scopes of a key"
    if "*" in scopes or _WRITES in scopes:
        return True, f"its scopes have {_WRITES if _WRITES in scopes else 'everything'}"
    held = ", ".join(clean_text(each, limit=40) for each in scopes[:_NAMED])
    return False, f"it lacks the scope {_WRITES}; it has {held or 'none'}"


def line(host: HttpHost, ok: bool | None, detail: str) -> Preflight:
    subject = f"PostHog at {host.address}"
    return Preflight(subject=subject, question="the write token may write", ok=ok, detail=detail)
