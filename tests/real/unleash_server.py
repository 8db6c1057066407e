"""A private PostgreSQL cluster with Unleash on top, on free loopback ports, and raw access to its admin API."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.real.servers import Server, answers, free_port, missing, program, running, scratch

NODE_MODULES = Path(__file__).with_name("unleash") / "node_modules"
ADMIN_TOKEN = "*:*.throwaway-admin-token"
BACKEND_TOKEN = "default:production.throwaway-prod-backend"
FRONTEND_TOKEN = "default:production.throwaway-prod-frontend"
ENVIRONMENT = "production"
PROJECT = "/api/admin/projects/default"


@contextmanager
def postgres() -> Iterator[Server]:
    """A fresh cluster that forgets everything at the end. Never runs as root."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb, server = program("initdb", *folders), program("postgres", *folders)
    port, user = free_port(), "postgres" if os.geteuid() == 0 else None
    with scratch("postgres", owner=user) as folder:
        data = folder / "data"
        subprocess.run(
            [
                initdb,
                "-D",
                data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ],
            cwd=folder,
            check=True,
            capture_output=True,
            user=user,
            group=user,
        )
        argv = [server, "-D", str(data), "-p", str(port), "-k", str(folder)]
        for option in (
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
        ):
            argv += ["-c", option]
        ready = [program("pg_isready", *folders), "-q", "-h", "127.0.0.1", "-p", str(port)]
        with running(
            "postgres",
            argv,
            port=port,
            folder=folder,
            user=user,
            stop_with=signal.SIGINT,
            ready=lambda: subprocess.run(ready, check=False).returncode == 0,
        ) as started:
            yield started


@dataclass(frozen=True, slots=True)
class Unleash:
    """A running Unleash. `admin` speaks its admin API as it is, past our adapter."""

    server: Server
    database: Server
    admin: httpx.Client
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return self.server.url

    def flag(
        self, rollout: str | None = "0", *, on: bool = True, description: str = "", **strategy: object
    ) -> str:
        """A new flag with a name of its own; without `rollout` it has no strategy in production."""
        name = f"convex_flag_{next(self._numbers)}"
        self.call("POST", "/features", {"name": name, "type": "release", "description": description})
        if rollout is not None:
            self.add_strategy(name, rollout, **strategy)
        if on:
            self.call("POST", f"/features/{name}/environments/{ENVIRONMENT}/on")
        return name

    def add_strategy(self, flag: str, rollout: str, **more: object) -> str:
        """A flexibleRollout in production; returns its id."""
        body = {
            "name": "flexibleRollout",
            "parameters": {"rollout": rollout, "stickiness": "userId", "groupId": flag},
            **more,
        }
        answer = self.call("POST", f"/features/{flag}/environments/{ENVIRONMENT}/strategies", body)
        return str(answer["id"])

    def store_rollout(self, flag: str, raw: str) -> None:
        """Change the stored percentage as any other user may, without validation."""
        strategy = self.strategies(flag)[0]["id"]
        path = f"/features/{flag}/environments/{ENVIRONMENT}/strategies/{strategy}"
        self.call("PATCH", path, [{"op": "replace", "path": "/parameters/rollout", "value": raw}])

    def switch(self, flag: str, *, on: bool) -> None:
        self.call("POST", f"/features/{flag}/environments/{ENVIRONMENT}/{'on' if on else 'off'}")

    def state(self, flag: str) -> Mapping[str, object]:
        """The flag in production as Unleash stores it."""
        return self.call("GET", f"/features/{flag}/environments/{ENVIRONMENT}")

    def strategies(self, flag: str) -> list[dict[str, object]]:
        found = self.state(flag)["strategies"]
        assert isinstance(found, list)
        return found

    def maintenance(self, *, on: bool) -> None:
        self.admin.post("/api/admin/maintenance", json={"enabled": on}).raise_for_status()

    def served(self) -> dict[str, bool]:
        """What an SDK in production is told: flag name to switch."""
        answer = self.admin.get("/api/client/features", headers={"Authorization": BACKEND_TOKEN})
        answer.raise_for_status()
        return {feature["name"]: feature["enabled"] for feature in answer.json()["features"]}

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """One raw call below the project; the JSON answer, {} for an empty one."""
        answer = self.admin.request(method, PROJECT + path, json=body)
        answer.raise_for_status()
        if not answer.content:
            return {}
        parsed: dict[str, object] = answer.json()
        return parsed


@contextmanager
def unleash(env: Mapping[str, str] | None = None) -> Iterator[Unleash]:
    """A fresh Unleash on a fresh database, ready to answer. `env` adds to its settings."""
    entry = NODE_MODULES / "unleash-server" / "dist" / "server.js"
    if not entry.exists():
        missing("unleash-server is not installed in tests/real/unleash")
    node = program("node")
    with postgres() as database, scratch("unleash") as folder:
        port = free_port()
        with running(
            "unleash",
            [node, str(entry)],
            port=port,
            folder=folder,
            env={**_settings(port, database.port), **(env or {})},
            ready=answers(f"http://127.0.0.1:{port}/health"),
        ) as server:
            headers = {"Authorization": ADMIN_TOKEN}
            with httpx.Client(base_url=server.url, headers=headers, timeout=20, trust_env=False) as admin:
                yield Unleash(server, database, admin)


def _settings(port: int, database_port: int) -> dict[str, str]:
    return {
        "NODE_ENV": "production",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "UNLEASH_URL": f"http://127.0.0.1:{port}",
        "LOG_LEVEL": "error",
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": str(database_port),
        "DATABASE_NAME": "postgres",
        "DATABASE_USERNAME": "postgres",
        "DATABASE_PASSWORD": "x",
        "DATABASE_SSL": "false",
        "CHECK_VERSION": "false",
        "SEND_TELEMETRY": "false",
        "INIT_ADMIN_API_TOKENS": ADMIN_TOKEN,
        "INIT_BACKEND_API_TOKENS": BACKEND_TOKEN,
        "INIT_FRONTEND_API_TOKENS": FRONTEND_TOKEN,
    }
