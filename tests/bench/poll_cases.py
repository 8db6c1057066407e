"""What `poll_cost` polls: every adapter that has something to ask on this machine, and what it asks.

The practice world runs in a process of its own, so that its work is not counted as ours. A real server that
is not installed leaves its adapter out, and says so.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES, MONITORS, PROBES
from cockpit.cli.practising import DEMO_PLAN, sample_plan
from cockpit.core.secret import Secret, SecretRef
from cockpit.practice.tokens import practice_secret
from tests.adapters.flags import launchdarkly_double, posthog_double, vercel_double
from tests.bench.poll_doubles import FLAG, HANDLERS, SENTRY_TOKEN, SUPABASE_KEY, doubled
from tests.real.haproxy_server import haproxy
from tests.real.http_server import secured_service
from tests.real.nginx_server import FLAGS as NGINX_FLAGS
from tests.real.nginx_server import nginx
from tests.real.ofrep_server import ofrep
from tests.real.postgres_server import cluster
from tests.real.redis_server import redis
from tests.tables import written

TIMEOUT_S: Final = 10.0
FLAGS: Final = ("chat_writes", "chat_reads", "chat_realtime")
PRACTICE_TOKEN: Final = practice_secret(SecretRef(env="PRACTICE_ADMIN")).reveal()
"""Known to everybody; it opens nothing but the practice world."""

TEAM: Final = {"label": "team", "value": "chat"}
ENDPOINT: Final[Mapping[str, Any]] = {
    "read": {"path": "/flags/{key}", "percent": "/percent", "on": "/on"},
    "read_all": {"path": "/flags", "flags": "/flags"},
}
TOTAL: Final = 'sum(cutover_requests_total{backend="new"})'


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """bare: the address that the bare request asks: the same server where it speaks HTTP."""

    name: str
    poll: Callable[[], Awaitable[object]]
    close: Callable[[], Awaitable[None]]
    bare: str
    same_server: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Makes cases on one client. dsn: the secret of databases. yardstick: for what does not speak HTTP."""

    web: Web
    yardstick: str
    dsn: str = ""

    def probe(self, kind: str, settings: Mapping[str, Any], bare: str | None = None) -> Case:
        row = PROBES[kind]
        probe = row.build(written(row.settings, settings), self.web, self._secret, TIMEOUT_S)
        return self._case(f"probe {kind}", probe.probe, probe.aclose, bare)

    def flags(self, kind: str, settings: Mapping[str, Any], *keys: str, bare: str | None = None) -> Case:
        row = FLAG_SERVICES[kind]
        reader = row.reader(written(row.settings, settings), self.web, self._secret, TIMEOUT_S)
        name = f"flags {kind}, {len(keys)} flag{'s' if len(keys) > 1 else ''}"
        return self._case(name, lambda: reader.read(keys), reader.aclose, bare)

    def monitor(self, kind: str, settings: Mapping[str, Any], asked: str, bare: str | None = None) -> Case:
        row = MONITORS[kind]
        monitor = row.build(written(row.settings, settings), self.web, self._secret, TIMEOUT_S)
        return self._case(f"monitor {kind}", lambda: monitor.query((asked,)), monitor.aclose, bare)

    def _case(
        self,
        name: str,
        poll: Callable[[], Awaitable[object]],
        close: Callable[[], Awaitable[None]],
        bare: str | None,
    ) -> Case:
        same = bare is not None
        return Case(name=name, poll=poll, close=close, bare=bare or self.yardstick, same_server=same)

    def _secret(self, ref: SecretRef) -> Secret:
        return Secret(self.dsn) if ref.env == "DSN" else practice_secret(ref)


Group = Callable[[Web, str, Mapping[str, str], Path, ExitStack], list[Case]]


def practice_cases(
    web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack
) -> list[Case]:
    bench, token = Bench(web=web, yardstick=yardstick), {"env": "PRACTICE_ADMIN"}
    unleash, prometheus, convex = (urls[name] for name in ("unleash", "prometheus", "convex"))
    health, instant = f"{urls['legacy']}/health", f"{prometheus}/api/v1/query?query=1"
    table = {"url": convex, "instance": "happy-otter-123"}
    inside = {**table, "key": token}
    world = {"url": unleash, "environment": "production", "token": token}
    return [
        bench.probe("http", {"url": health}, health),
        bench.probe("convex_jobs", inside, f"{convex}/version"),
        bench.probe("convex_logs", inside, f"{convex}/version"),
        bench.probe(
            "convex_metrics", {**inside, "window": "1m", "functions": ["chats:list"]}, f"{convex}/version"
        ),
        bench.flags("convex_table", {**table, "token": token}, *FLAGS, bare=f"{convex}/version"),
        bench.monitor("convex", inside, "table_size:messages", f"{convex}/version"),
        bench.probe("convex", {"url": convex, "health_query": "health:ping"}, f"{convex}/version"),
        bench.flags("unleash", world, FLAGS[0], bare=_flag_page(unleash)),
        bench.flags("unleash", world, *FLAGS, bare=_flag_page(unleash)),
        bench.monitor("prometheus", {"url": prometheus}, TOTAL, instant),
        bench.monitor(
            "prom_text", {"url": f"{urls['metrics']}/metrics"}, TOTAL, f"{urls['metrics']}/metrics"
        ),
        bench.monitor("http_json", {"url": instant}, "/data/result/1", instant),
    ]


def _flag_page(unleash: str) -> str:
    return f"{unleash}/api/admin/projects/default/features/{FLAGS[0]}"


def local_cases(
    web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack
) -> list[Case]:
    bench, stored = Bench(web=web, yardstick=yardstick), place / "flags.json"
    stored.write_text(json.dumps({"flags": {key: {"percent": 25} for key in FLAGS}}))
    program = [sys.executable, "-S", "-c", 'print(\'{"a": {"on": true, "percent": 25}}\')']
    port = int(yardstick.split(":")[2].split("/")[0])
    file = {"path": str(stored), "format": "json", "percent": "/flags/{key}/percent"}
    return [
        bench.flags("file", file, *FLAGS),
        bench.flags("command", {"read": program}, "a"),
        bench.probe("dns", {"host": "localhost"}),
        bench.probe("tcp", {"host": "127.0.0.1", "port": port}),
        bench.probe("process", {"program": psutil.Process().name()}),
        bench.probe("plugin", {"command": ["/bin/echo", "OK - fine"]}),
        bench.probe("websocket", {"url": f"ws://127.0.0.1:{stack.enter_context(_websocket())}/"}),
    ]


def hosted_cases(
    web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack
) -> list[Case]:
    """Services that nobody can install."""
    at = {name: stack.enter_context(doubled(name)) for name in HANDLERS}
    bench, token = Bench(web=web, yardstick=yardstick), {"env": "DSN"}

    def held(secret: str) -> Bench:
        return replace(bench, dsn=secret)

    vercel = {"url": at["vercel"], "team": vercel_double.TEAM, "token": token}
    launchdarkly = {"url": at["launchdarkly"], "project": "chat", "environment": "production", "token": token}
    posthog = {"url": at["posthog"], "project": posthog_double.PROJECT, "token": token}
    alerts = {"url": at["prometheus_alerts"], "labels": {"cutover": "abort"}}
    sentry = {"organization": "shop", "url": at["sentry"], "token": token}
    manager = {"url": at["alertmanager"], "matchers": [TEAM], "heartbeat": "Watchdog"}
    endpoint = {"url": at["http_json"], **ENDPOINT}
    env, edge = {"project": vercel_double.PROJECT}, {"edge_config": vercel_double.EDGE}
    return [
        held(launchdarkly_double.READER).flags("launchdarkly", launchdarkly, FLAG),
        held(posthog_double.READER).flags("posthog", posthog, FLAG),
        held(vercel_double.READER).flags("vercel_env", {**vercel, **env}, FLAG),
        held(vercel_double.READER).flags("vercel_edge", {**vercel, **edge}, FLAG),
        bench.probe("prometheus_alerts", alerts, f"{at['prometheus_alerts']}/api/v1/rules"),
        bench.probe("alertmanager", manager, f"{at['alertmanager']}/api/v2/alerts"),
        bench.flags("http_json", endpoint, *FLAGS, bare=f"{at['http_json']}/flags"),
        held(SENTRY_TOKEN).probe("sentry", sentry),
        held(SUPABASE_KEY).probe("supabase", {"url": at["supabase"], "key": token}),
    ]


def ofrep_cases(
    web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack
) -> list[Case]:
    server = stack.enter_context(ofrep())
    return [Bench(web=web, yardstick=yardstick).monitor("ofrep", {"url": server.url}, "reads share")]


def postgres_cases(
    web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack
) -> list[Case]:
    made = stack.enter_context(cluster())
    stack.enter_context(made.running())
    bench = Bench(web=web, yardstick=yardstick, dsn=made.dsn())
    settings = {"dsn": {"env": "DSN"}}
    return [bench.probe("postgres", settings), bench.monitor("postgres", settings, "SELECT 1")]


def redis_cases(
    web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack
) -> list[Case]:
    server = stack.enter_context(redis())
    return [Bench(web=web, yardstick=yardstick).probe("redis", {"host": "127.0.0.1", "port": server.port})]


def haproxy_cases(
    web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack
) -> list[Case]:
    server = stack.enter_context(haproxy())
    return [Bench(web=web, yardstick=yardstick).flags("haproxy", {"socket": server.socket}, "split")]


def nginx_cases(
    web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack
) -> list[Case]:
    server = stack.enter_context(nginx())
    split = {"file": str(server.split), "pid_file": str(server.pid_file)}
    return [Bench(web=web, yardstick=yardstick).flags("nginx", split, *NGINX_FLAGS[:3])]


def tls_cases(web: Web, yardstick: str, urls: Mapping[str, str], place: Path, stack: ExitStack) -> list[Case]:
    server = stack.enter_context(secured_service(days=90))
    port = int(server.url.rpartition(":")[2])
    settings = {"host": "127.0.0.1", "port": port, "ca_file": server.ca_file}
    return [Bench(web=web, yardstick=yardstick).probe("tls", settings)]


GROUPS: Final[Mapping[str, Group]] = {
    "practice": practice_cases,
    "local": local_cases,
    "hosted": hosted_cases,
    "ofrep": ofrep_cases,
    "postgres": postgres_cases,
    "redis": redis_cases,
    "haproxy": haproxy_cases,
    "nginx": nginx_cases,
    "tls": tls_cases,
}


def cases(group: str, web: Web, urls: Mapping[str, str], place: Path, stack: ExitStack) -> list[Case] | str:
    """The cases of one group, whose servers run as long as `stack`; or why there are none."""
    try:
        return GROUPS[group](web, f"{urls['prometheus']}/api/v1/query?query=1", urls, place, stack)
    except pytest.skip.Exception as left_out:
        return str(left_out)


@contextmanager
def practice_world() -> Iterator[Mapping[str, str]]:
    """Base addresses by service of a practice world in another process."""
    argv = [sys.executable, "-m", "cockpit.practice", "--plan", str(sample_plan(DEMO_PLAN))]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    urls: dict[str, str] = {}
    try:
        # Addresses come first, the answer to `share` behind them; then the new side gets something to do.
        process.stdin.write("".join(("share\n", *(f"set {flag} 25\n" for flag in FLAGS))))
        process.stdin.flush()
        for line in process.stdout:
            name, _, url = line.partition(" ")
            if not url.strip().startswith("http"):
                break
            urls[name] = url.strip()
        yield urls
    finally:
        process.communicate("quit\n")


@contextmanager
def _websocket() -> Iterator[int]:
    """The port of a WebSocket server that only takes connections, in another process."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve_websocket, args=(there,))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def serve_websocket(pipe: Connection) -> None:
    """Tells its port, and serves until it is told anything."""
    from threading import Thread

    from websockets.sync.server import ServerConnection, serve

    def stay(connection: ServerConnection) -> None:
        for _ in connection:
            continue

    with serve(stay, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        pipe.send(server.socket.getsockname()[1])
        pipe.recv()
        server.shutdown()
        thread.join()
