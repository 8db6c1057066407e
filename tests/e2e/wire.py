"""A strict reader of what a terminal was sent: everything that is not on the short list is a finding.

The list is what Textual's driver and renderer send for our screens, and what moves between the cells that
changed; text that came from a service can never be more than printable characters.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterator

SGR = re.compile(r"\x1b\[[0-9;]*m")
CURSOR = re.compile(r"(?:\x1b\[(?:(?:\d+(?:;\d+)?)?H|\d*[ABCD]|K|2J)|\x1b[DM])\x08*")
KITTY_KEYS = re.compile(r"\x1b\[(>\d+|<)u")
PRIVATE_MODES = frozenset(
    {
        "7",  # no wrapping at the right edge while the screen is up
        "25",  # cursor
        "1004",  # focus reports
        "1049",  # alternate screen
        "2004",  # bracketed paste
        "2026",  # synchronized output
        "2048",  # resize reports
    }
)
PRIVATE = re.compile(r"\x1b\[\?(?P<mode>\d+)(h|l|\$p)")
POINTER = "\x1b]22;default\x07"
CLIPBOARD = re.compile(r"\x1b\]52;c;(?P<text>[A-Za-z0-9+/=]*)\x07")
LAYOUT = frozenset("\r\n")
UNFINISHED = 40


def findings(raw: bytes, *, copied: bool = False) -> list[str]:
    """Everything in `raw` that a hostile text might have brought; empty when all is as it should be.

    copied: the person pressed a key that copies, so the clipboard may be written, with clean text.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        # Reading may have stopped inside a character; anywhere else it is a finding.
        if error.start < len(raw) - 4:
            return [f"not UTF-8: {raw[max(0, error.start - 40) : error.end + 20]!r}"]
        text = raw[: error.start].decode()
    return list(dict.fromkeys(_walk(text, copied=copied)))


def _walk(text: str, *, copied: bool) -> Iterator[str]:
    at, marks = 0, 0
    while at < len(text):
        char = text[at]
        if char == "\x1b":
            step = _sequence(text, at, copied=copied)
            if not step and len(text) - at > UNFINISHED:
                yield f"sequence {text[at : at + 40]!r}"
            at += step or 1
            continue
        if char not in LAYOUT and not char.isprintable():
            yield f"character U+{ord(char):04X} after {text[max(0, at - 30) : at]!r}"
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > 2:
            yield f"a pile of marks after {text[max(0, at - 30) : at]!r}"
        at += 1


def _sequence(text: str, at: int, *, copied: bool) -> int:
    """The length of the known sequence that begins here; 0 when it is not on the list."""
    for pattern in (SGR, CURSOR, KITTY_KEYS):
        found = pattern.match(text, at)
        if found:
            return len(found[0])
    mode = PRIVATE.match(text, at)
    if mode and mode["mode"] in PRIVATE_MODES:
        return len(mode[0])
    if text.startswith(POINTER, at):
        return len(POINTER)
    copy = CLIPBOARD.match(text, at) if copied else None
    return len(copy[0]) if copy and _plain(base64.b64decode(copy["text"]).decode()) else 0


def _plain(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))
