"""The practice world and plan file that the terminal tests fly, for commands without a terminal."""

from __future__ import annotations

from tests.e2e.conftest import stage

__all__ = ["stage"]
