from __future__ import annotations

import os
import socket
from datetime import UTC, datetime

from cockpit.core.snapshot import HostStatus
from cockpit.engine.host import HostSampler

NOW = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def sampled(sampler: HostSampler) -> HostStatus:
    status = sampler.sample(NOW, loop_lag_ms=1.5, clock_skew_s=None)
    assert status is not None
    return status


def test_a_sample_tells_of_this_machine_and_this_process() -> None:
    status = sampled(HostSampler())
    assert status.host == socket.gethostname()
    assert status.cpus == os.cpu_count()
    assert status.load_1m >= 0
    assert 0 < status.memory_used_pct <= 100
    assert 5 < status.own_rss_mib < 4096
    assert (status.loop_lag_ms, status.clock_skew_s, status.sampled_at) == (1.5, None, NOW)


def test_own_memory_grows_with_this_process() -> None:
    sampler = HostSampler()
    before = sampled(sampler).own_rss_mib
    held = b"\x01" * (64 * 1024 * 1024)
    after = sampled(sampler).own_rss_mib
    assert len(held) == 64 * 1024 * 1024
    assert after - before > 48


def test_a_system_without_load_averages_still_gives_a_load() -> None:
    def missing() -> tuple[float, float, float]:
        raise OSError("load averages are unobtainable")

    status = sampled(HostSampler(load_averages=missing))
    assert 0 <= status.load_1m <= status.cpus


def test_a_system_that_hides_its_tables_gives_no_sample() -> None:
    class Hidden(HostSampler):
        def _load(self) -> float:
            raise PermissionError("no /proc here")

    assert Hidden().sample(NOW, loop_lag_ms=0, clock_skew_s=0.1) is None
