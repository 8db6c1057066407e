"""The snapshot as bytes, for those who only look on.

`encode` and `decode` are exact inverses of each other. The format carries its number: an observer of
another version says so instead of showing half a picture. Fields that a newer driver has added are passed
over; a field that is missing or of another kind is an error.
"""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cockpit.core.clean import clean_text
from cockpit.core.snapshot import (
    Snapshot,
)

FORMAT: Final = 1

Json = dict[str, object]
T = TypeVar("T")


class SnapshotTrouble(Exception):
    """Published bytes that cannot be shown. `title` and `detail` are clean text."""

    def __init__(self, title: str, detail: str) -> None:
        super().__init__(f"{title}: {detail}")
        self.title = title
        self.detail = detail


class _Envelope(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", ser_json_inf_nan="constants", defer_build=True
    )

    format: int
    snapshot: Snapshot


class _Format(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", defer_build=True)

    format: int


def encode(snapshot: Snapshot) -> bytes:
    return _Envelope.model_construct(format=FORMAT, snapshot=snapshot).model_dump_json().encode()


def decode(published: bytes) -> Snapshot:
    """Raises SnapshotTrouble for bytes that are no snapshot, or one of another format."""
    try:
        return _Envelope.model_validate_json(published).snapshot
    except ValidationError as error:
        raise _trouble(published, error) from None


def _trouble(published: bytes, error: ValidationError) -> SnapshotTrouble:
    try:
        found = _Format.model_validate_json(published).format
    except ValidationError:
        return SnapshotTrouble("The published snapshot is damaged", "it is not the JSON of a snapshot")
    if found != FORMAT:
        return SnapshotTrouble(
            "The published snapshot is of another version of the cockpit",
            f"it has format {found}, this version shows format {FORMAT}",
        )
    first = error.errors(include_url=False, include_input=False)[0]
    where = clean_text(".".join(str(part) for part in first["loc"]))
    return SnapshotTrouble("The published snapshot cannot be shown", f"{where}: {clean_text(first['msg'])}")
