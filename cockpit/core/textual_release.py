"""Releases of Textual that comparing cells was written for: told without loading Textual."""

from __future__ import annotations

from typing import Final

KNOWN: Final = frozenset(f"8.2.{patch}" for patch in range(9))
"""The releases whose compositor and driver are those that the face knows."""


def unknown_release(found: str) -> str:
    """Why output is plain with this release; empty when nothing about the release speaks against cells."""
    return "" if found in KNOWN else f"Textual {found} is not a release that comparing cells was written for"
