"""The snapshot as bytes, for those who only look on.

`encode` and `decode` are exact inverses of each other. The format carries its number: an observer of
another version says so instead of showing half a picture. Fields that a newer driver has added are passed
over; a field that is missing or of another kind is an error.

Writing, several times a second, is pydantic's, which is fast once it has looked at every class; `status`
reads one picture and ends, and would wait for that longer than for everything else together.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cockpit.core.clean import clean_text
from cockpit.core.snapshot import Snapshot
from cockpit.engine.parsing import Misfit, parsed, read

if TYPE_CHECKING:
    from pydantic import BaseModel

FORMAT: Final = 1


class SnapshotTrouble(Exception):
    """Published bytes that cannot be shown. `title` and `detail` are clean text."""

    def __init__(self, title: str, detail: str) -> None:
        super().__init__(f"{title}: {detail}")
        self.title = title
        self.detail = detail


def encode(snapshot: Snapshot) -> bytes:
    return _envelope().model_construct(format=FORMAT, snapshot=snapshot).model_dump_json().encode()


@cache
def _envelope() -> type[BaseModel]:
    from pydantic import BaseModel, ConfigDict

    class Envelope(BaseModel):
        model_config = ConfigDict(ser_json_inf_nan="constants")

        format: int
        snapshot: Snapshot

    return Envelope


def decode(published: bytes) -> Snapshot:
    """Raises SnapshotTrouble for bytes that are no snapshot, or one of another format."""
    try:
        envelope: Any = parsed(published)
        found = envelope["format"]
    except (ValueError, KeyError, TypeError):
        raise _damaged() from None
    if type(found) is not int:
        raise _damaged()
    if found != FORMAT:
        raise SnapshotTrouble(
            "The published snapshot is of another version of the cockpit",
            f"it has format {found}, this version shows format {FORMAT}",
        )
    try:
        return read(envelope.get("snapshot"), Snapshot)
    except Misfit as misfit:
        where = clean_text(".".join(("snapshot", *misfit.place)))
        raise SnapshotTrouble(
            "The published snapshot cannot be shown", f"{where}: {clean_text(misfit.what)}"
        ) from None


def _damaged() -> SnapshotTrouble:
    return SnapshotTrouble("The published snapshot is damaged", "it is not the JSON of a snapshot")
