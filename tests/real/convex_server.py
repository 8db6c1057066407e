"""convex-test (the official in-memory mock of Convex functions) over HTTP, started for a test.

It is not a Convex backend: the functions and their errors are convex-test's, the HTTP around them is
`convex/server.mjs`. Tests that use it are called convex-test for that reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.real.servers import Server, answers, free_port, missing, program, running, scratch

FOLDER = Path(__file__).with_name("convex")
INSTANCE = "happy-otter-1"
ADMIN_KEY = "happy-otter-1|throwaway-admin-key"


@dataclass(frozen=True, slots=True)
class ConvexTest:
    server: Server
    client: httpx.Client

    @property
    def url(self) -> str:
        return self.server.url

    def make(self, trouble: str) -> None:
        """What the health function does from now on: `none`, `coded` or `prose`."""
        body = {"path": "health:make", "args": {"trouble": trouble}, "format": "json"}
        answer = self.client.post("/api/mutation", json=body).raise_for_status().json()
        assert answer["status"] == "success", answer

    def pause(self, paused: bool) -> None:
        path = f"/api/v1/{'pause' if paused else 'unpause'}_deployment"
        self.client.post(path, headers={"Authorization": f"Convex {ADMIN_KEY}"}).raise_for_status()

    def mend(self) -> None:
        self.pause(False)
        self.make("none")


@contextmanager
def convex_test() -> Iterator[ConvexTest]:
    if not (FOLDER / "node_modules" / "convex-test").exists():
        missing("convex-test is not installed in tests/real/convex")
    port = free_port()
    argv = [program("node"), str(FOLDER / "server.mjs"), str(port), INSTANCE, ADMIN_KEY]
    with (
        scratch("convex-test") as folder,
        running(
            "convex-test", argv, port=port, folder=folder, ready=answers(f"http://127.0.0.1:{port}/version")
        ) as server,
        httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client,
    ):
        yield ConvexTest(server=server, client=client)
