"""A real VictoriaMetrics, and samples that are put into it by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.real.servers import Server, answers, free_port, program, running, scratch

# A gauge that is no number is not stored at all; Prometheus would tell it as NaN.
SAMPLES = """\
shop_requests_total{backend="legacy"} 100
shop_requests_total{backend="new"} 40
shop_endless +Inf
shop_nothing NaN
"""


@contextmanager
def victoria(latency_offset_s: float = 0) -> Iterator[Server]:
    """A fresh server that holds SAMPLES. Ready means that they can be asked for.

    latency_offset_s: how far behind the present it evaluates; its own default is 30.
    """
    binary, port = program("victoria-metrics"), free_port()
    url = f"http://127.0.0.1:{port}"
    with scratch("victoria") as folder:
        argv = [
            binary,
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-storageDataPath={folder / 'data'}",
            f"-search.latencyOffset={latency_offset_s:g}s",
        ]
        with running("victoria", argv, port=port, folder=folder, ready=answers(f"{url}/health")) as server:
            posted = httpx.post(f"{url}/api/v1/import/prometheus", content=SAMPLES, trust_env=False)
            posted.raise_for_status()
            server.wait_until(lambda: _holds_samples(url), "showing what it was given")
            yield server


def _holds_samples(url: str) -> bool:
    params = {"query": 'count({__name__=~"shop_.*"})'}
    answer = httpx.get(f"{url}/api/v1/query", params=params, timeout=5.0, trust_env=False)
    return bool(answer.json()["data"]["result"])
