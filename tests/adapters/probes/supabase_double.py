"""A double of a Supabase project: the auth service's health and PostgREST's counting, as they are documented.

Neither can be installed for tests. What is answered here is written after PostgREST's documentation of
pagination and errors and Supabase Auth's API; it has never been compared with a running one. Every answer
says where it comes from: "docs" is the documentation of PostgREST or Supabase, "source" Supabase Auth's
own, "known" common knowledge that nobody read up for this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.adapters.probes.scripted import Hang, Reply, Request, Step, as_json

SECRET_KEY = "sb_secret_token-3f9a-throwaway-secret"
LEGACY_KEY = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmVk"
HEALTH = {"version": "v2.197.0", "name": "GoTrue", "description": "GoTrue is a user registration API"}
_KINDS = ("exact", "planned", "estimated")


@dataclass(slots=True)
class Project:
    """tables: rows by name. failing: an error (status, code) instead of an answer of the data API."""

    key: str = SECRET_KEY
    tables: dict[str, int] = field(default_factory=lambda: {"messages": 48211})
    hidden: frozenset[str] = frozenset()
    failing: tuple[int, str] | None = None
    slow: frozenset[str] = frozenset()
    health: Step = field(default_factory=lambda: as_json(HEALTH))
    seen: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Step:
        """Docs: a key that is unknown, and a secret key from what looks like a browser, are a 401. Known: its
        words. Source: what the auth service's health says."""
        self.seen.append(request)
        if request.headers.get("apikey") != self.key or _like_a_browser(request.headers):
            return as_json({"message": "Invalid API key"}, 401)
        parts = urlsplit(request.path)
        if parts.path == "/auth/v1/health":
            return self.health
        return self._data(request, parts.path.removeprefix("/rest/v1/"), parse_qs(parts.query))

    def _data(self, request: Request, table: str, query: Mapping[str, list[str]]) -> Step:
        """Docs: Content-Range with the total that Prefer asked for, 206 for a part, and an empty table
        without an error where row security hides all rows.
        """
        if table in self.slow:
            return Hang()
        if self.failing is not None:
            return _error(request, *self.failing)
        if table not in self.tables:
            return _error(request, 404, "PGRST205")
        count = 0 if table in self.hidden else self.tables[table] // (2 if "is_deleted" in query else 1)
        wanted = request.headers.get("prefer", "").removeprefix("count=")
        total = str(count) if wanted in _KINDS else "*"
        head = request.method == "HEAD"
        return Reply(
            status=200 if count <= 1 else 206,
            body=b"" if head else b"[{}]",
            headers={
                "content-range": f"{'0-0' if count else '*'}/{total}",
                "content-type": "application/json",
            },
        )


def _error(request: Request, status: int, code: str) -> Step:
    """Docs: the fields and codes of an error. Known: an error to HEAD has a status and nothing else."""
    if request.method == "HEAD":
        return Reply(status=status)
    return as_json({"code": code, "details": None, "hint": None, "message": "no"}, status)


def _like_a_browser(headers: Mapping[str, str]) -> bool:
    return "mozilla" in headers.get("user-agent", "").lower()
