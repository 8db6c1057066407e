"""Reading a body that may be endless, compressed beyond reason, or cut short."""

from __future__ import annotations

import zlib

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.http_message import Response
from cockpit.core.model import Failure

ACCEPT_ENCODING = "gzip"


async def read_capped(response: Response, *, max_body: int, asked: str) -> bytes:
    """The whole body, decompressed. Raises BrokenAnswer once either form is larger than `max_body` bytes."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise _broken("the answer is packed in a way that was not asked for", asked, response)
    announced = response.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:18]) > max_body:
        raise _too_large(max_body, asked, response)
    unpacker = None if encoding in ("identity", "") else zlib.decompressobj(wbits=47)
    body = bytearray()
    async for chunk in response.body:
        try:
            body += chunk if unpacker is None else unpacker.decompress(chunk, max_body + 1 - len(body))
        except zlib.error:
            raise _broken("the packed answer cannot be unpacked", asked, response) from None
        if len(body) > max_body:
            raise _too_large(max_body, asked, response)
    if unpacker is not None and body and not unpacker.eof:
        raise _broken("the packed answer was cut short", asked, response)
    return bytes(body)


def _too_large(max_body: int, asked: str, response: Response) -> BrokenAnswer:
    return _broken(f"the answer is larger than {max_body / 1_000_000:g} MB", asked, response)


def _broken(title: str, asked: str, response: Response) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title, detail=asked), status=response.status)
