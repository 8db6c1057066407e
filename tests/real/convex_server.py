"""convex-test (the official in-memory mock of Convex functions) over HTTP, started for a test.

It is not a Convex backend: the functions and their errors are convex-test's, the HTTP around them is
`convex/server.mjs`. Tests that use it are called convex-test for that reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.real.servers import Server, answers, free_port, missing, program, running, scratch

FOLDER = Path(__file__).with_name("convex")
INSTANCE = "happy-otter-1"
ADMIN_KEY = "happy-otter-1|throwaway-admin-key"
READ_KEY = "happy-otter-1|throwaway-read-key"
WRITE_KEY = "happy-otter-1|throwaway-write-key"


@dataclass(frozen=True, slots=True)
class ConvexTest:
    server: Server
    client: httpx.Client

    @property
    def url(self) -> str:
        return self.server.url

    def call(self, kind: str, path: str, args: Mapping[str, Any], *, key: str = ADMIN_KEY) -> Any:
        """The value of a function, past our adapters."""
        body = {"path": path, "args": args, "format": "json"}
        headers = {"Authorization": f"Convex {key}"}
        answer = self.client.post(f"/api/{kind}", json=body, headers=headers).raise_for_status().json()
        assert answer["status"] == "success", answer
        return answer["value"]

    def store(self, key: str, *rows: Mapping[str, Any]) -> None:
        """Replace all rows of a flag by these; what is not said is plain and off."""
        plain = {"key": key, "enabled": False, "percent": 0, "version": 1, "updatedBy": "t", "updatedAt": 1}
        self.call("mutation", "tamper:store", {"key": key, "rows": [{**plain, **row} for row in rows]})

    def rows(self, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("query", "cutoverFlags:list", {"keys": [key]})
        return found

    def make(self, trouble: str) -> None:
        """What the health function does from now on: `none`, `coded` or `prose`."""
        self.call("mutation", "health:make", {"trouble": trouble})

    def pause(self, paused: bool) -> None:
        path = f"/api/v1/{'pause' if paused else 'unpause'}_deployment"
        self.client.post(path, headers={"Authorization": f"Convex {ADMIN_KEY}"}).raise_for_status()

    def mend(self) -> None:
        self.pause(False)
        self.make("none")


@contextmanager
def convex_test() -> Iterator[ConvexTest]:
    for module in ("convex-test", "typescript"):
        if not (FOLDER / "node_modules" / module).exists():
            missing(f"{module} is not installed in tests/real/convex")
    port = free_port()
    keys = (ADMIN_KEY, READ_KEY, WRITE_KEY)
    argv = [program("node"), str(FOLDER / "server.mjs"), str(port), INSTANCE, *keys]
    with (
        scratch("convex-test") as folder,
        running(
            "convex-test", argv, port=port, folder=folder, ready=answers(f"http://127.0.0.1:{port}/version")
        ) as server,
        httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client,
    ):
        yield ConvexTest(server=server, client=client)
