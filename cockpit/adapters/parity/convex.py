"""Counts and rows of a Convex deployment, through query functions of the application.

A count is a number that the function returns, or pages of it: `{page, isDone, continueCursor}` as
Convex's pagination gives them, each page within the 32,000 documents that one query may scan. A function
that collects a whole table fails beyond that; its error comes without a reason in production, so the
failure names the limit. Calls take turns in places shared with everything else that we ask there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import RefusedByService, ServiceTrouble
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.parity.cells import broken, keyed, moment, sampled_keys
from cockpit.adapters.probes.convex_answer import read_call, read_word
from cockpit.core.model import Failure, Fault
from cockpit.core.parity import Count, Exactness
from cockpit.core.parity_rows import Row
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost, Web
    from cockpit.adapters.parity.settings import ConvexStoreSettings

PAGE: Final = 1000
MOST_PAGES: Final = 500
_BODY_LIMIT: Final = 16_000_000


def build(settings: ConvexStoreSettings, web: Web, secret: Secrets, timeout_s: float) -> ConvexStore:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    headers = {}
    if settings.key is not None:
        headers["Authorization"] = Secret(f"Convex {secret(settings.key).reveal()}")
    host = web.host(
        settings.url,
        headers=headers,
        timeout_s=timeout_s,
        ca_file=settings.ca_file,
        shared=True,
        max_body=_BODY_LIMIT,
    )
    return ConvexStore(host, instance=settings.instance)


class ConvexStore:
    def __init__(self, host: HttpHost, *, instance: str) -> None:
        self._host = host
        self._instance = instance
        self._proved = False

    async def count(self, expression: str) -> Count:
        value = await self._call(expression)
        if isinstance(value, dict) and "page" in value:
            return await self._count_pages(expression, value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != int(value):
            raise broken(f"{_named(expression)} returned neither a count nor a page")
        return Count(n=int(value))

    async def _count_pages(self, expression: str, first: Mapping[str, object]) -> Count:
        counted, page = 0, first
        for _ in range(MOST_PAGES):
            rows, done, cursor = page.get("page"), page.get("isDone"), page.get("continueCursor")
            if not isinstance(rows, list) or not isinstance(done, bool):
                raise broken(f"{_named(expression)} returned a page of another shape")
            counted += len(rows)
            if done:
                return Count(n=counted)
            if not isinstance(cursor, str) or not cursor:
                raise broken(f"{_named(expression)} returned a page without a cursor")
            following = await self._call(expression, paginationOpts={"numItems": PAGE, "cursor": cursor})
            if not isinstance(following, dict):
                raise broken(f"{_named(expression)} returned no page")
            page = following
        return Count(n=counted, exactness=Exactness.CAPPED, note=f"stopped after {MOST_PAGES} pages")

    async def newest(self, expression: str) -> datetime | None:
        return moment(await self._call(expression))

    async def sample(self, expression: str, size: int) -> Sequence[str]:
        value = await self._call(expression, size=size)
        if not isinstance(value, list):
            raise broken(f"{_named(expression)} returned no list of keys")
        return sampled_keys(value, size)

    async def rows(self, expression: str, keys: Sequence[str], *, key: str) -> Mapping[str, Row]:
        value = await self._call(expression, keys=list(keys))
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise broken(f"{_named(expression)} returned no list of documents")
        return keyed(value, keys, key)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _call(self, expression: str, **more: object) -> object:
        await self._prove_instance()
        path, args = _question(expression)
        question = {"path": path, "args": {**args, **more}, "format": "json"}
        called = read_call(await self._host.read_post("/api/query", json=question), path)
        if called.trouble:
            detail = (
                "a query may scan 32,000 documents and run for 1 s: count in pages or by table size"
                if called.trouble.endswith("failed")
                else ""
            )
            raise ServiceTrouble(Failure(title=called.trouble, detail=detail))
        return called.value

    async def _prove_instance(self) -> None:
        """Once: that this is the deployment that the plan means."""
        if self._proved:
            return
        name = read_word(await self._host.get("/instance_name", redirects=False), "its name")
        if name != self._instance:
            title = f"answers as {name}, the plan says {self._instance}"
            raise RefusedByService(Failure(title=title, retryable=False, fault=Fault.PLAN))
        self._proved = True


def _question(expression: str) -> tuple[str, dict[str, object]]:
    """Path and arguments. Raises RefusedByService for arguments that are no JSON object."""
    path, _, written = expression.strip().partition(" ")
    try:
        args = json.loads(written) if written.strip() else {}
    except ValueError:
        args = None
    if not isinstance(args, dict):
        failure = Failure(title=f"{_named(path)}: arguments are one JSON object", fault=Fault.PLAN)
        raise RefusedByService(failure)
    return path, args


def _named(expression: str) -> str:
    return expression.partition(" ")[0]
