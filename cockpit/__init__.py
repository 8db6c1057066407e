"""Cutover Cockpit: a terminal cockpit for live migration cutover."""

from __future__ import annotations

__version__ = "0.1.0"
