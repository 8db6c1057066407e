"""A page that is fetched whole and holds every number at once: what such monitoring sources share.

One request per poll, so that all expressions are read from the same moment. The page is read beside the
loop: a large one would hold it up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.aside import Aside
from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight, RefusedByService
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.signals.preflight import in_words, judge_expression
from cockpit.adapters.signals.settings import PageSettings
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault, Sample

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web
    from cockpit.core.secret import Secret

Outcome = Sample | AdapterError
Reader = Callable[["Answer", Sequence[str]], Mapping[str, Outcome]]

_MAX_BODY: Final = 8_000_000


def open_page(
    settings: PageSettings, web: Web, secret: Secrets, timeout_s: float, *, accept: str, read: Reader
) -> PageMonitor:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    headers: dict[str, Secret | str] = {"Accept": accept, "Cache-Control": "no-cache"}
    for name, value in settings.headers.items():
        headers[name] = value if isinstance(value, str) else secret(value)
    if settings.token is not None:
        headers["Authorization"] = bearer(secret(settings.token))
    parts = urlsplit(settings.url)
    host = web.host(
        f"{parts.scheme}://{parts.netloc}",
        headers=headers,
        timeout_s=timeout_s,
        max_body=_MAX_BODY,
        ca_file=settings.ca_file,
        max_concurrent=1,
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return PageMonitor(host, path, read, timeout_s=timeout_s)


class PageMonitor:
    """Holds no state between calls. `read` makes an outcome per expression, or raises AdapterError."""

    def __init__(self, host: HttpHost, path: str, read: Reader, *, timeout_s: float) -> None:
        self._host = host
        self._path = path
        self._read = read
        self._timeout_s = timeout_s
        self._aside = Aside("reading of the page")

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Outcome]:
        """One entry per expression. Raises AdapterError when the page as a whole cannot be used."""
        if not expressions:
            return {}
        answer = await once_more_after_reset(lambda: self._host.get(self._path, retry=False))
        if answer.status != 200:
            raise answer.as_error()
        once = tuple(dict.fromkeys(expressions))
        try:
            return await self._aside.run(lambda: self._read(answer, once), self._timeout_s)
        except TimeoutError:
            title = f"the page could not be read within {self._timeout_s:g} s"
            raise BrokenAnswer(Failure(title=title, detail=answer.asked, fault=Fault.PLAN)) from None

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        subject, question = self._host.address, "shows a page of numbers"
        try:
            outcomes = await self.query(expressions)
        except AdapterError as error:
            return [Preflight(subject=subject, question=question, ok=False, detail=in_words(error))]
        reached = Preflight(subject=subject, question=question, ok=True, detail="")
        return [reached, *(judge_expression(each, outcome) for each, outcome in outcomes.items())]

    async def aclose(self) -> None:
        await self._host.aclose()


def refused(expression: str, why: str) -> AdapterError:
    """The plan's own fault: an expression that this source cannot read."""
    failure = Failure(
        title=f"the expression cannot be read: {why}",
        detail=clean_text(expression, limit=120),
        retryable=False,
        fault=Fault.PLAN,
    )
    return RefusedByService(failure, sent=False)
