"""Sentry as its API documentation describes it; a real one cannot be had for tests.

Every answer says where it comes from: "schema" is Sentry's published API schema
(getsentry/sentry-api-schema), "docs" its documentation, "known" is common knowledge that nobody read up for
this. It judges what it is asked (path, token, search, paging) and keeps issues with the moment they were
first seen, so that a search for the wrong time finds the wrong issues.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.adapters.probes.scripted import Reply, Request, as_json

_SEARCH = re.compile(r"is:unresolved firstSeen:>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)( .*)?\Z")


@dataclass
class Sentry:
    """outcomes: errors of the last hour by what became of them."""

    token: str
    issues: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=lambda: {"accepted": 12, "filtered": 3})
    asked: list[dict[str, str]] = field(default_factory=list)

    def seen(
        self, level: str, first_seen: datetime, *, count: int = 1, environment: str = "production"
    ) -> None:
        """A new issue."""
        number = len(self.issues) + 1
        self.issues.append(
            {
                "id": str(number),
                "shortId": f"SHOP-{number}",
                "title": f"Error: it broke {number} times",
                "culprit": "courses:list",
                "level": level,
                "count": str(count),
                "userCount": 2,
                "firstSeen": first_seen.isoformat(),
                "status": "unresolved",
                "environment": environment,
            }
        )

    def __call__(self, request: Request) -> Reply:
        """Schema: the paths, and an error as {"detail": ...} with 401 and 404. Known: its words."""
        parts = urlsplit(request.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.asked.append(query)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return as_json({"detail": "Invalid token"}, 401)
        if parts.path == "/api/0/organizations/shop/issues/":
            return self._list(query)
        if parts.path == "/api/0/organizations/shop/stats_v2/":
            return self._stats(query)
        return as_json({"detail": "The requested resource does not exist"}, 404)

    def _list(self, query: dict[str, str]) -> Reply:
        """Schema: the fields of an issue, `count` as text, 400 for a search that cannot be read. Docs: the
        Link header of a page, with results="false" at the end.
        """
        match = _SEARCH.match(query.get("query", ""))
        if match is None or query.get("sort") != "new":
            return as_json({"detail": "Error parsing search query"}, 400)
        since = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
        found = [
            each
            for each in reversed(self.issues)
            if datetime.fromisoformat(each["firstSeen"]) > since
            and each["environment"] == query.get("environment", each["environment"])
        ]
        page = found[: int(query["limit"])]
        more = "true" if len(found) > len(page) else "false"
        link = '<http://s/?cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", '
        link += f'<http://s/?cursor=0:100:0>; rel="next"; results="{more}"; cursor="0:100:0"'
        return as_json(page, link=link)

    def _stats(self, query: dict[str, str]) -> Reply:
        """Schema: groups by outcome with totals. Known: 400 for another question."""
        wanted = {"field": "sum(quantity)", "groupBy": "outcome", "category": "error"}
        if any(query.get(name) != value for name, value in wanted.items()):
            return as_json({"detail": "invalid query"}, 400)
        groups = [
            {"by": {"outcome": outcome}, "totals": {"sum(quantity)": count}, "series": {}}
            for outcome, count in self.outcomes.items()
        ]
        return as_json({"start": "", "end": "", "intervals": [], "groups": groups})
