"""A real Prometheus, and something for it to scrape."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.real.servers import Server, answers, free_port, program, running, scratch

BASE_PATH = "/prometheus"
# Two jobs scrape the same target. Queries for job="patchy" also ask a remote store that is dead, which
# is how a real server comes to warn that an answer is partial.
CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 150ms, evaluation_interval: 200ms}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: whole
    static_configs: [{{targets: ['127.0.0.1:{target}']}}]
  - job_name: patchy
    static_configs: [{{targets: ['127.0.0.1:{target}']}}]
remote_read:
  - url: http://127.0.0.1:{dead}/read
    remote_timeout: 1s
    read_recent: true
    required_matchers: {{job: patchy}}
"""


class MetricsTarget:
    """Serves `samples` (series to value, both as text) at /metrics from a thread of its own."""

    def __init__(self) -> None:
        self.samples: dict[str, str] = {}
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lines = [f"{series} {value}\n" for series, value in dict(target.samples).items()]
                body = "".join(lines).encode()
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

    def __enter__(self) -> MetricsTarget:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def result_of(url: str, query: str) -> list[object]:
    """The raw result of an instant query, past our adapter; [] while it cannot be asked."""
    try:
        params = {"query": query}
        answer = httpx.get(f"{url}/api/v1/query", params=params, timeout=2.0, trust_env=False)
    except httpx.TransportError:
        return []
    found: list[object] = answer.json()["data"]["result"] if answer.status_code == 200 else []
    return found


@contextmanager
def prometheus(target: MetricsTarget, rules: str = "groups: []") -> Iterator[Server]:
    """A fresh server. Ready means that both jobs were scraped, not merely that it answers."""
    binary, port = program("prometheus"), free_port()
    url = f"http://127.0.0.1:{port}{BASE_PATH}"
    with scratch("prometheus") as folder:
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(target=target.port, dead=free_port()))
        (folder / "rules.yml").write_text(rules)
        argv = [
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url=http://prometheus.invalid{BASE_PATH}",
            f"--web.route-prefix={BASE_PATH}",
        ]
        alive = answers(f"{url}/-/ready")
        with running("prometheus", argv, port=port, folder=folder, ready=alive) as server:
            server.wait_until(lambda: len(result_of(url, "up == 1")) == 2, "done with its first scrapes")
            yield server
