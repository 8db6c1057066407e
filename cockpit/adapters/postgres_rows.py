"""Whether row security may hide rows from this user, which PostgreSQL tells nobody who counts.

Told not to filter (row_security = off) it refuses a question that a policy would filter, before anything is
read; EXPLAIN is enough to hear it. It refuses where every policy lets all rows through, too, so the policies
of what this user may read are looked at then. What a function does inside of itself is not seen. Sources:
PostgreSQL documentation, "Row Security Policies" and "row_security"; seen with PostgreSQL 15.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, RefusedByService

if TYPE_CHECKING:
    from cockpit.adapters.postgres import Session

HIDDEN: Final = "rows may be hidden by row security"
_FILTER: Final = "SELECT set_config('row_security', '{}', true)"
_OURS: Final = """p.polrelid = c.oid AND p.polcmd IN ('r', '*')
    AND EXISTS (SELECT FROM unnest(p.polroles) r WHERE r = 0 OR pg_has_role(r, 'USAGE'))"""
_ALL: Final = "pg_get_expr(p.polqual, p.polrelid) = 'true'"
_SOME_HIDE: Final = f"""SELECT EXISTS (SELECT FROM pg_class c
    WHERE c.relrowsecurity AND row_security_active(c.oid) AND has_any_column_privilege(c.oid, 'SELECT')
    AND (NOT EXISTS (SELECT FROM pg_policy p WHERE {_OURS} AND p.polpermissive AND {_ALL})
        OR EXISTS (SELECT FROM pg_policy p WHERE {_OURS} AND NOT p.polpermissive AND NOT {_ALL})))"""


async def hidden(session: Session, questions: Iterable[str]) -> dict[str, bool]:
    """Of each question, a SELECT that has been answered, whether rows may be hidden from it.

    Raises AdapterError where that cannot be told.
    """
    found: dict[str, bool] = {}
    await session.rows(_FILTER.format("off"))
    for question in questions:
        answer = await session.attempt(f"EXPLAIN {question}")
        if isinstance(answer, AdapterError) and not isinstance(answer, RefusedByService):
            raise answer
        found[question] = isinstance(answer, RefusedByService)
    await session.rows(_FILTER.format("on"))
    if any(found.values()) and not (await session.row(_SOME_HIDE))[0]:
        return dict.fromkeys(found, False)
    return found
