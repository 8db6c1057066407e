from __future__ import annotations

from tests.adapters.probes.rig import clock, web

__all__ = ["clock", "web"]
