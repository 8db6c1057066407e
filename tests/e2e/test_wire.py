"""The strict reader finds what it must find: a finder that finds nothing would prove nothing."""

from __future__ import annotations

import base64

import pytest

from tests.e2e.wire import findings

REST = b" " * 60


@pytest.mark.parametrize(
    "evil",
    [
        b"\x1bc",
        b"\x1b[2;5r",
        b"\x1b[?1000h",
        b"\x1b[6n",
        b"\x1b[1;1Hscreen\x1b[5t",
        b"\x1b]0;title\x07",
        b"\x1b]22;url\x07",
        b"\x1b]52;c;cm0gLXJmIC8K\x07",
        b"\x1b]8;;http://evil.invalid\x1b\\click\x1b]8;;\x1b\\",
        b"\x1bPq\x1b\\",
        b"\x07",
        b"\x08",
        b"\x00",
        b"\x7f",
        b"\t",
        b"\x9b31m",
        "\x9b31m".encode(),
        "\u202egnp".encode(),
        "zero\u200bwidth".encode(),
        "\ufeff".encode(),
        "\u2028".encode(),
        "\ue000".encode(),
        "z\u0301\u0302\u0303".encode(),
    ],
    ids=repr,
)
def test_it_finds(evil: bytes) -> None:
    assert findings(b"before" + evil + REST)


def test_it_passes_what_a_screen_is_made_of() -> None:
    screen = "\x1b[?1049h\x1b[?25l\x1b[12;1H\x1b[1;38;5;12m▌✓ OK ━╋◆ 25%\x1b[0m\r\n\x1b]22;default\x07\x1b[<u"
    assert findings(screen.encode() + REST) == []
    assert findings(b"a\x1b[12;") == [], "reading stopped inside a sequence"
    assert findings("a▌".encode()[:-1]) == [], "reading stopped inside a character"


def test_a_copy_must_be_asked_for_and_clean() -> None:
    def copied(text: str) -> bytes:
        return b"\x1b]52;c;" + base64.b64encode(text.encode()) + b"\x07" + REST

    assert findings(copied("flag chat_reads"), copied=True) == []
    assert findings(copied("flag chat_reads"))
    assert findings(copied("\x1b[2J"), copied=True)
