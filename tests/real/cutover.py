"""A whole cutover on real servers: Unleash on PostgreSQL keeps the flags, Prometheus counts what is served.

Only the crowd, the legacy API and the Convex deployment are practice doubles. The crowd follows the real
Unleash the way an SDK does: it polls /api/client/features and keeps what it last knew.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from cockpit.cli.flying import flight_journal
from cockpit.cli.plans import load_plan
from cockpit.core.events import Event
from cockpit.engine.clock import SystemClock
from cockpit.engine.engine import Engine
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import Break
from cockpit.engine.paths import journal_path
from cockpit.practice.server import PracticeServer
from tests.flying import OPERATOR, Cockpit
from tests.real.prometheus_server import result_of
from tests.real.servers import Server, answers, free_port, program, running, scratch
from tests.real.unleash_raw import RawUnleash
from tests.real.unleash_server import Unleash

SAMPLE = Path(__file__).parents[2] / "sample_configs" / "chat-sync.toml"
RPS = 8000.0
SDK_POLL_S = 0.2
_CROWD_TURN = "1s"
_SCRAPES = """
global: {{scrape_interval: 250ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: cutover
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


class Relay:
    """What Prometheus scrapes: the /metrics of the world that flies now, and nothing between two flights."""

    def __init__(self) -> None:
        self.source = ""
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = relay.fetch()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def fetch(self) -> bytes:
        if not self.source:
            return b""
        try:
            return httpx.get(f"{self.source}/metrics", timeout=2.0, trust_env=False).content
        except httpx.TransportError:
            return b""

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """A running Prometheus and what it scrapes."""

    server: Server
    relay: Relay


@contextmanager
def monitoring() -> Iterator[Monitoring]:
    """A fresh Prometheus that has scraped once."""
    binary, port = program("prometheus"), free_port()
    url = f"http://127.0.0.1:{port}"
    with Relay() as relay, scratch("cutover-prometheus") as folder:
        config = folder / "prometheus.yml"
        config.write_text(_SCRAPES.format(port=relay.port))
        argv = [
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url={url}",
        ]
        alive = answers(f"{url}/-/ready")
        with running("prometheus", argv, port=port, folder=folder, ready=alive) as server:
            server.wait_until(lambda: bool(result_of(url, "up == 1")), "done with its first scrape")
            yield Monitoring(server=server, relay=relay)


class Sdk:
    """One SDK for the whole crowd: polls the real Unleash with a backend token from a thread of its own."""

    def __init__(self, raw: RawUnleash) -> None:
        self._client = httpx.Client(
            base_url=raw.url, headers={"Authorization": raw.tokens.backend}, timeout=2.0, trust_env=False
        )
        self._known: Mapping[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="sdk")

    def served(self) -> Mapping[str, float]:
        """Percent of the users that each flag is on for, as last told by Unleash."""
        return self._known

    def _poll(self) -> None:
        while not self._ending.is_set():
            with suppress(httpx.HTTPError):
                answer = self._client.get("/api/client/features").raise_for_status()
                features = answer.json()["features"]
                self._known = {feature["name"]: exposure(feature) for feature in features}
            self._ending.wait(SDK_POLL_S)

    def __enter__(self) -> Sdk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._client.close()


def exposure(feature: Mapping[str, object]) -> float:
    """Percent of users for whom a feature with one plain flexibleRollout is on."""
    strategies = feature["strategies"]
    assert isinstance(strategies, list)
    rollouts = [float(each["parameters"]["rollout"]) for each in strategies if not each.get("disabled")]
    return max(rollouts, default=0.0) if feature["enabled"] else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A plan file on real servers, three flags at 0 % in dependency order: writes, reads, live updates."""

    plan_path: Path
    env: Mapping[str, str]
    unleash: Unleash
    monitoring: Monitoring
    practice: PracticeServer
    sdk: Sdk
    flags: tuple[str, str, str]

    @property
    def raw(self) -> RawUnleash:
        return self.unleash.raw

    def start_at(self, percent: int) -> None:
        """Raise every flag before take-off."""
        for flag in self.flags:
            self.raw.store_rollout(flag, str(percent))

    @contextmanager
    def flying(self) -> Iterator[Cockpit]:
        """The cockpit without its screen, wired as `cockpit fly` does it."""
        with flight_journal(self.plan_path) as book:
            engine = Engine(book.flying(load_plan(self.plan_path)))
            engine.start()
            cockpit = Cockpit(engine)
            try:
                yield cockpit
            finally:
                engine.stop()
                ended = engine.join(20)
                cockpit.close()
        assert ended, "the engine did not end"
        assert engine.failed is None

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`cockpit WORD PLAN ...` as a process of its own."""
        argv = [sys.executable, "-m", "cockpit", words[0], str(self.plan_path), *words[1:]]
        return subprocess.run(argv, env=dict(self.env), capture_output=True, text=True, timeout=100)

    def events(self) -> Sequence[Event]:
        journal = self._journal()
        try:
            return journal.read()
        finally:
            journal.close()

    def breaks(self) -> Sequence[Break]:
        """Where the journal's chain of hashes does not hold."""
        journal = self._journal()
        try:
            return journal.verify()
        finally:
            journal.close()

    def _journal(self) -> SqliteJournal:
        return SqliteJournal(journal_path(self.plan_path, self.env), read_only=True)


@contextmanager
def night(
    unleash: Unleash, monitoring: Monitoring, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Night]:
    """Three fresh flags, a practice world that follows them, and the sample plan rewritten to both."""
    flags = (unleash.raw.flag("0"), unleash.raw.flag("0"), unleash.raw.flag("0"))
    text = _renamed(SAMPLE.read_text(), flags)
    crowd = folder / "crowd.toml"
    crowd.write_text(text.replace('propagation = "20s"', f'propagation = "{_CROWD_TURN}"'))
    env = _environment(unleash.raw, folder)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with (
        Sdk(unleash.raw) as sdk,
        PracticeServer(
            load_plan(crowd), seed=11, clock=SystemClock(), rps=RPS, share_source=sdk.served
        ) as practice,
    ):
        plan_path = folder / "night.toml"
        plan_path.write_text(_moved(text, unleash.server, monitoring.server, practice.urls))
        monitoring.relay.source = practice.urls["metrics"]
        try:
            yield Night(
                plan_path=plan_path,
                env=env,
                unleash=unleash,
                monitoring=monitoring,
                practice=practice,
                sdk=sdk,
                flags=flags,
            )
        finally:
            monitoring.relay.source = ""


def _environment(raw: RawUnleash, folder: Path) -> dict[str, str]:
    """The cockpit reads as a viewer and writes as a service account; people have tokens of their own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "UNLEASH_READ_TOKEN": raw.tokens.viewer,
        "UNLEASH_WRITE_TOKEN": raw.tokens.admin,
        "COCKPIT_OPERATOR": OPERATOR,
    }


def _renamed(text: str, flags: Sequence[str]) -> str:
    """The sample with these flags, with holds and polls for a night of a minute, and without TLS."""
    keys = ("chat_writes", "chat_reads", "chat_realtime")
    quick = {
        'flags = "2s"': 'flags = "1s"',
        'probes = "5s"': 'probes = "1s"',
        'signals = "5s"': 'signals = "1s"',
        'warmup = "10s"': 'warmup = "1s"',
        'hold = "45s"': 'hold = "2s"',
        'hold = "60s"': 'hold = "2s"',
        'propagation = "30s"': 'propagation = "20s"',
        "tls_days = 14": "",
    }
    for before, after in {**dict(zip(keys, flags, strict=True)), **quick}.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


def _moved(text: str, unleash: Server, prometheus: Server, practice: Mapping[str, str]) -> str:
    homes = {
        "https://unleash.example.com": unleash.url,
        "https://prometheus.example.com": prometheus.url,
        "https://chat.example.com": practice["legacy"],
        "https://happy-otter-123.convex.cloud": practice["convex"],
        "https://happy-otter-123.convex.site": practice["new"],
    }
    for before, after in homes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text
