"""The flight as bytes: what a resume point holds.

Resuming reads this and folds only the events behind it. It is the fold of one very version of the core:
the bytes name a digest of the core's source, and any other cockpit folds the journal from its beginning.
JSON, checked on reading like everything else that comes from outside.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from cockpit import core
from cockpit.core.dataclass import dataclass
from cockpit.core.flight import Flight
from cockpit.engine.parsing import parsed, read


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    fold: str
    flight: Flight


def encode(flight: Flight) -> bytes:
    from cockpit.engine.spelling import Speller  # who only reads loads nothing that writes

    return Speller(_Kept).spell(_Kept(fold=fold_digest(), flight=flight))


def decode(state: bytes) -> Flight | None:
    """None for bytes that this version's fold did not make."""
    try:
        kept = read(parsed(state), _Kept)
    except ValueError:
        return None
    return kept.flight if kept.fold and kept.fold == fold_digest() else None


@cache
def fold_digest() -> str:
    """Of the source of everything that folds; empty where it cannot be read, and then nothing is resumed."""
    try:
        sources = [path.read_bytes() for path in sorted(Path(next(iter(core.__path__))).glob("*.py"))]
    except OSError:
        return ""
    return hashlib.sha256(b"\0".join(sources)).hexdigest() if sources else ""
