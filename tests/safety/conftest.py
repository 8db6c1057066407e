"""The practice world and plan file of the terminal tests."""

from __future__ import annotations

from tests.e2e.conftest import stage

__all__ = ["stage"]
