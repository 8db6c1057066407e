"""The frames that a server sends, whole, and its GOAWAY apart from them.

h2 forgets every answer that is still to come once it has read a GOAWAY. But a server that closes in an
orderly way (nginx does at each thousandth request, and when it is reloaded) says so first, and then answers
what it has begun (RFC 9113, section 6.8). So h2 never sees one.
"""

from __future__ import annotations

from typing import Final

from h2.exceptions import FrameTooLargeError

from cockpit.core.dataclass import dataclass

_HEAD: Final = 9
_GOAWAY: Final = 0x7
_FARE: Final = 8
_LONGEST: Final = 16_384
"""Bytes in a frame; more is allowed only to whom more was offered, and we offer nobody more."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """The server takes no more requests. Those with a number above `last` it has not begun, it says.

    error: why, 0 where it is no complaint (RFC 9113, section 7).
    """

    last: int
    error: int


class Frames:
    """Bytes in, whole frames out; keeps one unfinished frame at most."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def take(self, data: bytes) -> tuple[bytes, Farewell | None]:
        """The frames that are complete now, and the newest GOAWAY among them.

        Raises FrameTooLargeError before more than one frame of a size that was never offered is kept.
        """
        kept, at = self._kept, 0
        kept += data
        others = bytearray()
        farewell: Farewell | None = None
        while len(kept) - at >= _HEAD:
            length = int.from_bytes(kept[at : at + 3], "big")
            if length > _LONGEST:
                raise FrameTooLargeError("a frame is longer than was offered")
            end = at + _HEAD + length
            if end > len(kept):
                break
            if kept[at + 3] == _GOAWAY and length >= _FARE:
                farewell = _farewell(kept[at + _HEAD : end])
            else:
                others += kept[at:end]
            at = end
        del kept[:at]
        return bytes(others), farewell


def _farewell(payload: bytearray) -> Farewell:
    last = int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF
    return Farewell(last, int.from_bytes(payload[4:8], "big"))
