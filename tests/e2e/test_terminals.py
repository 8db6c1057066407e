"""Terminals of all kinds: without colour, with sixteen, none at all, small, tiny, and resized in flight."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.e2e.conftest import Stage
from tests.e2e.flown import flown
from tests.e2e.terminal import Terminal, wait_until
from tests.e2e.wire import findings

pytestmark = pytest.mark.timeout(120)

SGR = re.compile(rb"\x1b\[([0-9;]*)m")
ATTRIBUTES = frozenset(range(10)) | frozenset(range(21, 30))
SIXTEEN = (
    ATTRIBUTES
    | frozenset(range(30, 38))
    | frozenset(range(40, 48))
    | frozenset(range(90, 98))
    | frozenset(range(100, 108))
)
OWN_COLOURS = frozenset((39, 49))


def styles(raw: bytes) -> set[int]:
    return {int(number) for found in SGR.findall(raw) for number in found.split(b";") if number}


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [("NO_COLOR", "1", ATTRIBUTES | OWN_COLOURS), ("TERM", "xterm", SIXTEEN | OWN_COLOURS)],
)
def test_fewer_colours_and_all_of_the_words(
    stage: Stage, variable: str, value: str, allowed: Iterable[int]
) -> None:
    with Terminal(stage.command("fly"), env={**stage.env, variable: value}) as terminal:
        terminal.expect("✓ OK  nothing tripped")
        stage.inject("outage", side="legacy")
        terminal.expect("✗ BAD  legacy sync api: DOWN")
        terminal.press("R")
        terminal.expect("press R to roll back")
        assert styles(bytes(terminal.raw)) - set(allowed) == set()
        assert findings(bytes(terminal.raw)) == []


@pytest.mark.parametrize("term", ["dumb", "unknown"])
@pytest.mark.parametrize("command", ["fly", "wall"])
def test_a_terminal_without_a_cursor_gets_words(stage: Stage, term: str, command: str) -> None:
    with Terminal(stage.command(command), env={**stage.env, "TERM": term}) as terminal:
        terminal.expect(f"TERM={term} has no cursor to move: this command needs a screen")
        terminal.expect("`cockpit status PLAN` says how it stands in plain lines")
        wait_until(lambda: terminal.process.poll() is not None, "the end")
        assert terminal.process.returncode == 2
        assert b"\x1b" not in terminal.raw
    assert stage.kinds() == []


def test_80_by_24_shows_what_matters(stage: Stage) -> None:
    with flown(stage, columns=80, rows=24) as deck:
        deck.wait_until_well()
        deck.shows("✓ OK", "chat_writes", "R Roll back", "sync api", "Failed requests")
        stage.inject("outage", side="legacy")
        deck.shows("✗ BAD  legacy sync api: DOWN")
        stage.clear()
        deck.wait_until_well()
        deck.press("R")
        deck.shows("press R to roll back", "ALL 3 FLAGS go to 0%")
        deck.press("R")
        deck.shows("since declare", "all 3 flags re-read")
        deck.clean()


def test_a_tiny_terminal_says_that_more_is_hidden_and_still_rolls_back(stage: Stage) -> None:
    with Terminal(stage.command("fly"), env=stage.env, columns=40, rows=10) as terminal:
        terminal.expect("LIVE · production")
        terminal.expect("R Roll back")
        terminal.expect("2 more ↑↓")
        terminal.press("R")
        terminal.expect("press R to roll back")
        terminal.press("R")
        wait_until(lambda: stage.configured() == [0, 0, 0], "every flag at zero")
        terminal.expect("all 3 flags")
        assert findings(bytes(terminal.raw)) == []


def test_it_lives_through_every_size(stage: Stage) -> None:
    with flown(stage) as deck:
        deck.wait_until_well()
        for columns, rows in ((80, 24), (40, 10), (20, 5), (2, 2), (1, 1), (300, 90), (120, 40)):
            deck.terminal.resize(columns, rows)
            seq = deck.wait_for(lambda _: True, "a picture").seq
            deck.wait_for(lambda picture, seq=seq: picture.seq > seq + 5, "more pictures")  # type: ignore[misc]
            assert deck.terminal.process.poll() is None
        deck.shows("data live", "1 Rollout", "R Roll back", "chat_realtime")
        deck.page("?", "Act (capitals touch")
        deck.press("R")
        deck.shows("press R to roll back")
        deck.terminal.resize(80, 24)
        deck.shows("press R to roll back")
        deck.press("R")
        deck.shows("since declare")
        deck.terminal.resize(30, 8)
        deck.terminal.resize(120, 40)
        deck.shows("all 3 flags re-read as 0%", "since declare", "Unsynced devices")
        deck.clean()
