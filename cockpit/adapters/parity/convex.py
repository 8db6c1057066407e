"""Counts and rows of a Convex deployment, through query functions of the application.

A count is a number that the function returns, or pages of it: `{page, isDone, continueCursor}` as
Convex's pagination gives them, each page within the 32,000 documents that one query may scan. A function
that collects a whole table fails beyond that; its error comes without a reason in production, so the
failure names the limit. Calls take turns in places shared with everything else that we ask there.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import RefusedByService, ServiceTrouble
from cockpit.adapters.convex import Deployment, deployment, number
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.parity.cells import broken, keyed, moment, sampled_keys
from cockpit.core.model import Failure, Fault
from cockpit.core.parity import Count, Exactness
from cockpit.core.parity_rows import Row

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.parity.settings import ConvexStoreSettings

PAGE: Final = 1000
MOST_PAGES: Final = 500
_LIMITS: Final = "a query may scan 32,000 documents and run for 1 s: count in pages or by table size"


def build(settings: ConvexStoreSettings, web: Web, secret: Secrets, timeout_s: float) -> ConvexStore:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    reached = deployment(
        web,
        settings.url,
        key=secret(settings.key),
        instance=settings.instance,
        ca_file=settings.ca_file,
        timeout_s=timeout_s,
    )
    return ConvexStore(reached)


class ConvexStore:
    def __init__(self, reached: Deployment) -> None:
        self._deployment = reached
        self._verified = False

    async def count(self, expression: str) -> Count:
        value = await self._call(expression)
        if isinstance(value, dict) and "page" in value:
            return await self._count_pages(expression, value)
        try:
            counted = number(value)
        except ValueError:
            counted = -1.0
        if counted < 0 or counted != int(counted):
            raise broken(f"{_named(expression)} returned neither a count nor a page")
        return Count(n=int(counted))

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
        value = await self._call(expression)
        return moment(None if value is None else plain(value))

    async def sample(self, expression: str, size: int) -> Sequence[str]:
        value = await self._call(expression, size=size)
        if not isinstance(value, list):
            raise broken(f"{_named(expression)} returned no list of keys")
        return sampled_keys((plain(each) for each in value), size)

    async def rows(self, expression: str, keys: Sequence[str], *, key: str) -> Mapping[str, Row]:
        value = await self._call(expression, keys=list(keys))
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise broken(f"{_named(expression)} returned no list of documents")
        return keyed(({name: plain(each) for name, each in row.items()} for row in value), keys, key)

    async def aclose(self) -> None:
        await self._deployment.aclose()

    async def _call(self, expression: str, **more: object) -> object:
        if not self._verified:
            await self._deployment.verify()
            self._verified = True
        path, args = _question(expression)
        try:
            return await self._deployment.query(path, {**args, **more})
        except ServiceTrouble as trouble:
            detail = f"{trouble.failure.detail}; {_LIMITS}".lstrip("; ")
            raise ServiceTrouble(replace(trouble.failure, detail=detail), status=trouble.status) from None


def plain(value: object) -> object:
    """A value in the encoded format as Python has it; lists and objects too. Raises BrokenAnswer."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get("$integer"), str):
            return _integer(value["$integer"])
        if "$float" in value:
            raise broken("a document holds a number that is not finite")
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def _integer(encoded: str) -> int:
    """Eight bytes, little-endian, exactly: a float would round beyond 2^53."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise broken("a document holds an integer that cannot be decoded") from None
    return int.from_bytes(raw, "little", signed=True)


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
