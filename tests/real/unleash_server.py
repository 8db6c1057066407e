"""A private PostgreSQL cluster with Unleash on top, on free loopback ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.real.postgres_server import postgres
from tests.real.servers import Server, answers, free_port, missing, program, running, scratch
from tests.real.unleash_raw import RawUnleash, Tokens

NODE_MODULES = Path(__file__).with_name("unleash") / "node_modules"
ADMIN_TOKEN = "*:*.throwaway-admin-token"
BACKEND_TOKEN = "default:production.throwaway-prod-backend"
FRONTEND_TOKEN = "default:production.throwaway-prod-frontend"
PASSWORD = "Throwaway-0nly!"
EDITOR, VIEWER = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Unleash:
    """A running Unleash, its database, and its API past our adapter."""

    server: Server
    database: Server
    raw: RawUnleash


@contextmanager
def unleash(env: Mapping[str, str] | None = None) -> Iterator[Unleash]:
    """A fresh Unleash on a fresh database, ready to answer. `env` adds to its settings."""
    entry = NODE_MODULES / "unleash-server" / "dist" / "server.js"
    if not entry.exists():
        missing("unleash-server is not installed in tests/real/unleash")
    node = program("node")
    with postgres() as database, scratch("unleash") as folder:
        port = free_port()
        with (
            running(
                "unleash",
                [node, str(entry)],
                port=port,
                folder=folder,
                env={**_settings(port, database.port), **(env or {})},
                ready=answers(f"http://127.0.0.1:{port}/health"),
            ) as server,
            _client(server.url, ADMIN_TOKEN) as admin,
        ):
            raw = RawUnleash(server.url, _tokens(server.url), admin)
            yield Unleash(server=server, database=database, raw=raw)


def _client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": token}, timeout=20, trust_env=False)


def _tokens(url: str) -> Tokens:
    """Personal tokens of an editor and of a viewer beside the admin and the SDK token."""
    return Tokens(
        admin=ADMIN_TOKEN,
        person=_personal_token(url, "ada", root_role=EDITOR),
        person_name="ada@example.org",
        viewer=_personal_token(url, "vera", root_role=VIEWER),
        backend=BACKEND_TOKEN,
    )


def _personal_token(url: str, name: str, *, root_role: int) -> str:
    """Create the account and let it make a token, as its owner would in the browser."""
    account = {"name": name, "username": name, "email": f"{name}@example.org", "rootRole": root_role}
    with _client(url, ADMIN_TOKEN) as admin:
        created = admin.post(
            "/api/admin/user-admin", json={**account, "sendEmail": False, "password": PASSWORD}
        )
        created.raise_for_status()
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as person:
        login = person.post("/auth/simple/login", json={"username": name, "password": PASSWORD})
        login.raise_for_status()
        wish = {"description": "tests", "expiresAt": "2099-01-01T00:00:00Z"}
        token = person.post("/api/admin/user/tokens", json=wish)
        token.raise_for_status()
        return str(token.json()["secret"])


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
