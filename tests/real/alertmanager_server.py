"""A real Alertmanager, and alerts that are raised in it by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.real.servers import Server, answers, free_port, program, running, scratch

CONFIG = """
route: {receiver: nobody, group_by: [alertname]}
receivers: [{name: nobody}]
inhibit_rules:
  - source_matchers: ['alertname = "DataCentreDown"']
    target_matchers: ['alertname = "Unreachable"']
"""


@contextmanager
def alertmanager() -> Iterator[Server]:
    """A fresh server that forms no cluster and tells nobody."""
    binary, port = program("prometheus-alertmanager"), free_port()
    with scratch("alertmanager") as folder:
        config = folder / "alertmanager.yml"
        config.write_text(CONFIG)
        argv = [
            binary,
            f"--config.file={config}",
            f"--storage.path={folder / 'state'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url=http://127.0.0.1:{port}/alerts",
            "--cluster.listen-address=",
        ]
        ready = answers(f"http://127.0.0.1:{port}/alerts/-/ready")
        with running("alertmanager", argv, port=port, folder=folder, ready=ready) as server:
            yield server


def api(server: Server, path: str, params: Mapping[str, str] | None = None) -> Any:
    """An answer of its API, past our adapters."""
    url = f"{server.url}/alerts/api/v2/{path}"
    return httpx.get(url, params=params, timeout=5.0, trust_env=False).json()


def raise_alert(server: Server, **labels: str) -> None:
    """Raise an alert that ends by itself after five minutes, and wait until it is there."""
    url = f"{server.url}/alerts/api/v2/alerts"
    body = [{"labels": labels, "annotations": {"summary": f"{labels['alertname']} is on"}}]
    httpx.post(url, json=body, timeout=5.0, trust_env=False).raise_for_status()
    wanted = {"filter": f'alertname="{labels["alertname"]}"'}
    server.wait_until(lambda: bool(api(server, "alerts", wanted)), "showing the alert")


def silence(server: Server, **labels: str) -> None:
    """Silence alerts with these labels for ever, as somebody else."""
    matchers = [
        {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items()
    ]
    times = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    body = {"matchers": matchers, **times, "createdBy": "ada", "comment": "known"}
    url = f"{server.url}/alerts/api/v2/silences"
    httpx.post(url, json=body, timeout=5.0, trust_env=False).raise_for_status()
