"""The flight as bytes: what a resume point holds.

Resuming reads this and folds only the events behind it. It is the fold of one very version of the core:
the bytes name a digest of the core's source, and any other cockpit folds the journal from its beginning.
JSON, checked on reading like everything else that comes from outside.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from cockpit import core
from cockpit.core.flight import Flight


class _Kept(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", ser_json_inf_nan="constants", defer_build=True
    )

    fold: str
    flight: Flight


def encode(flight: Flight) -> bytes:
    return _Kept.model_construct(fold=fold_digest(), flight=flight).model_dump_json().encode()


def decode(state: bytes) -> Flight | None:
    """None for bytes that this version's fold did not make."""
    try:
        kept = _Kept.model_validate_json(state)
    except ValidationError:
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
