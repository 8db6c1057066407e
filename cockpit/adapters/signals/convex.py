"""Counts of documents in a Convex deployment, all of one poll at one timestamp.

`table_size:chats` asks what the dashboard asks: kept incrementally by the deployment, exact, without a
scan. It is no promised API. Where it is refused or gone, the plan's own query for that table is asked
instead, from then on. `count:stats:chats {"deleted": false}` asks a query of the application at once.

What a deployment tells of its functions (calls, failures, latencies) is not offered here. It comes in
whole minutes and up to two minutes late, so that as a counter it would show users on the new side, or
none, who were there before the flip.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, Preflight, RefusedByService
from cockpit.adapters.convex import Deployment, Question, deployment, number
from cockpit.adapters.convex_names import FUNCTION
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.convex_preflight import look_line, name_line
from cockpit.adapters.flags.outcome import words
from cockpit.adapters.http_path import plan_fault
from cockpit.adapters.once import asked_once
from cockpit.adapters.probes.convex_answer import Called
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault, Quality, Sample

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.probes.convex_settings import ConvexMonitorSettings

TABLE_SIZE: Final = "_system/frontend/tableSize"
TABLES: Final = "_system/cli/tables"
_TABLE: Final = re.compile(r"table_size:([A-Za-z_][A-Za-z0-9_]{0,63})\Z")
_COUNT: Final = re.compile(r"count:(\S+)(?:\s+(\{.*\}))?\Z", re.DOTALL)
_MOST_TABLES: Final = 100


def build(settings: ConvexMonitorSettings, web: Web, secret: Secrets, timeout_s: float) -> ConvexMonitor:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    host = deployment(
        web,
        settings.url,
        key=secret(settings.key),
        instance=settings.instance,
        ca_file=settings.ca_file,
        timeout_s=timeout_s,
    )
    return ConvexMonitor(host, counts=settings.counts)


class ConvexMonitor:
    """Remembers one thing between polls: why the deployment does not tell table sizes, if it does not."""

    def __init__(self, host: Deployment, *, counts: Mapping[str, str]) -> None:
        self._host = host
        self._counts = counts
        self._no_sizes = ""

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        """One entry per expression. Raises AdapterError when the deployment as a whole cannot be asked."""
        once = tuple(dict.fromkeys(expressions))
        if not once:
            return {}
        await self._host.verify()
        found = await self._ask(once)
        again = [each for each in once if self._gives_way(each, found[each])]
        if again:
            found |= await self._ask(again)
        return {each: _sample(found[each]) for each in once}

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        with asked_once():
            lines = [await name_line(self._host), await look_line(self._host, ("ViewData",))]
        try:
            answers = await self.query(expressions)
            with asked_once():
                tables = await self._tables()
        except AdapterError as error:
            return [*lines, _line("the counts", False if _of_the_plan(error) else None, words(error))]
        return [*lines, *(_judge(each, answer, tables) for each, answer in answers.items())]

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _ask(self, expressions: Sequence[str]) -> dict[str, _Told | AdapterError]:
        found: dict[str, _Told | AdapterError] = {}
        questions: dict[str, Question] = {}
        for each in expressions:
            try:
                questions[each] = self._question(each)
            except AdapterError as error:
                found[each] = error
        if questions:
            called, at = await self._host.query_at_once(tuple(questions.values()))
            found |= {each: (one, at) for each, one in zip(questions, called, strict=True)}
        return found

    def _question(self, expression: str) -> Question:
        """Raises RefusedByService for an expression that is none."""
        table, count = _TABLE.match(expression), _COUNT.match(expression)
        if table is not None and not self._no_sizes:
            return Question(function=TABLE_SIZE, args={"tableName": table[1], "componentId": None})
        if table is not None:
            if table[1] not in self._counts:
                raise plan_fault(
                    f"no size of {table[1]}: {self._no_sizes}, and the plan names no count for it"
                )
            return Question(function=self._counts[table[1]], args={})
        if count is None or not FUNCTION.match(count[1]):
            raise plan_fault("expected table_size:TABLE or count:FUNCTION {arguments}")
        try:
            args = json.loads(count[2] or "{}")
        except ValueError:
            raise plan_fault("the arguments are not JSON") from None
        return Question(function=count[1], args=args)

    def _gives_way(self, expression: str, found: _Told | AdapterError) -> bool:
        """Whether a table's size is to be counted by the plan's own query instead, now and from now on."""
        table = _TABLE.match(expression)
        if table is None or self._no_sizes or isinstance(found, AdapterError) or not found[0].trouble:
            return False
        if table[1] in self._counts:
            self._no_sizes = found[0].trouble
        return table[1] in self._counts

    async def _tables(self) -> frozenset[str] | None:
        """The names of all tables; None where the deployment does not tell them."""
        args = {"paginationOpts": {"numItems": _MOST_TABLES, "cursor": None}}
        try:
            body = await self._host.query(TABLES, args)
        except AdapterError:
            return None
        if (
            not isinstance(body, dict)
            or body.get("isDone") is False
            or not isinstance(body.get("page"), list)
        ):
            return None
        page = body["page"]
        return frozenset(str(each.get("name")) for each in page if isinstance(each, dict))


_Told = tuple[Called, datetime | None]


def _sample(found: _Told | AdapterError) -> Sample | AdapterError:
    if isinstance(found, AdapterError):
        return found
    called, at = found
    if called.trouble:
        return RefusedByService(Failure(title=called.trouble, fault=Fault.SERVICE))
    try:
        value = number(called.value)
    except ValueError:
        shown = clean_text(json.dumps(called.value), limit=40)
        return Sample(value=None, quality=Quality.ERROR, note=f"gives {shown}, expected one number")
    if value < 0:
        note = f"gives {value:g}: a counter cannot be negative"
        return Sample(value=None, quality=Quality.ERROR, source_time=at, note=note)
    return Sample(value=value, quality=Quality.GOOD, source_time=at)


def _judge(expression: str, answer: Sample | AdapterError, tables: frozenset[str] | None) -> Preflight:
    """The deployment calls a table that is not there empty, so its name is looked up."""
    table = _TABLE.match(expression)
    if table is not None and tables is not None and table[1] not in tables:
        return _line(expression, False, "there is no such table")
    if isinstance(answer, AdapterError):
        return _line(expression, False if _of_the_plan(answer) else None, words(answer))
    detail = f"{answer.value:g} now" if answer.value is not None else answer.note
    return _line(expression, answer.quality is Quality.GOOD, detail)


def _of_the_plan(error: AdapterError) -> bool:
    return error.failure.fault is Fault.PLAN


def _line(expression: str, ok: bool | None, detail: str) -> Preflight:
    subject = clean_text(expression, limit=80)
    return Preflight(subject=subject, question="gives one number", ok=ok, detail=detail)
